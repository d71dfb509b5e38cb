//! One question, as patterns and placeholders see it.

use crate::acl::access::Access;
use crate::acl::identity::{Caller, Identity};
use crate::acl::placeholder::Field;

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// The service that is asked for.
    pub service: &'a str,
    /// For what.
    pub access: &'a Access<'a>,
}

impl<'a> Asked<'a> {
    /// The question of a caller.
    pub fn of(caller: &'a Caller<'_>, access: &'a Access<'_>) -> Self {
        Self { identity: caller.identity, service: caller.service, access }
    }

    /// The value of a field.
    pub fn field(&self, field: Field) -> &'a str {
        match field {
            // whatever stands there: nobody said it
            Field::Account if self.identity.is_anonymous() => "",
            Field::Account => &self.identity.name,
            Field::Kind => self.access.kind,
            Field::Name => self.access.name,
            Field::Service => self.service,
        }
    }
}
