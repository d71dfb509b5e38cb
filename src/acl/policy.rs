//! May they? The one function that decides, for every door. It denies by default.
//!
//! 1. An administrator may do everything.
//! 2. The first of the ordered rules that fits decides, for or against.
//! 3. Any grant that gives it allows it. Grants are about repositories only.
//! 4. Nothing else is allowed, with one exception: the catalog (`registry:catalog:*`) is open to whoever no rule about
//!    it keeps out, because it shows each caller only what they may pull. Rules without a `type` say nothing about it,
//!    since they were written about repositories.

use crate::acl::access::{Access, REGISTRY};
use crate::acl::asked::Asked;
use crate::acl::grant::Grants;
use crate::acl::identity::Caller;
use crate::acl::rules::{Rules, Verdict};
use std::sync::Arc;

/// The name of the catalog among the resources of the registry.
pub const CATALOG: &str = "catalog";

/// Rules and grants as they stood at one time.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The ordered rules.
    pub rules: Arc<Rules>,
    /// What is given beyond them.
    pub grants: Arc<Grants>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether they may.
    pub allowed: bool,
    /// What decided it.
    pub because: Because,
}

/// What decided. Places are counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// They are an administrator.
    Administrator,
    /// The rule at this place.
    Rule(usize),
    /// The rule at this place would take too much to find out whether it fits: more than a thousand combinations of
    /// labels, or an expression of many kilobytes. Denied, since the rule may be one that denies.
    TooMuch(usize),
    /// The grant at this place.
    Grant(usize),
    /// The catalog is open unless a rule closes it.
    Catalog,
    /// Nothing allows it.
    Nothing,
}

impl Policy {
    /// Decides.
    pub fn decide(&self, caller: &Caller<'_>, access: &Access<'_>) -> Decision {
        decide(&self.rules, &self.grants, caller, access)
    }
}

/// Decides.
pub fn decide(rules: &Rules, grants: &Grants, caller: &Caller<'_>, access: &Access<'_>) -> Decision {
    if caller.identity.admin {
        return Decision { allowed: true, because: Because::Administrator };
    }
    let catalog = is_catalog(access);
    let asked = Asked::of(caller, access);
    match rules.first(&asked, caller.address, catalog) {
        Some(Verdict { rule, allowed: Some(allowed) }) => Decision { allowed, because: Because::Rule(rule) },
        Some(Verdict { rule, allowed: None }) => Decision { allowed: false, because: Because::TooMuch(rule) },
        None if catalog => Decision { allowed: true, because: Because::Catalog },
        None => match grants.find(caller.identity, access) {
            Some(grant) => Decision { allowed: true, because: Because::Grant(grant) },
            None => Decision { allowed: false, because: Because::Nothing },
        },
    }
}

/// Whether this is about the list of repositories.
pub fn is_catalog(access: &Access<'_>) -> bool {
    access.kind == REGISTRY && access.name == CATALOG
}
