//! What a request to the distribution API needs: one exhaustive table. A new route does not compile until somebody
//! has said here what it takes.

use crate::acl::access::Action;
use crate::http::v2::route::Route;
use crate::oci::repository::Repository;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs<'a> {
    /// A credential of whatever rights: this is where clients find out how to log in.
    Credential,
    /// A credential that may list; each entry is then asked for by itself.
    Listing,
    /// An action on a repository.
    Of(&'a Repository, Action),
    /// To push to a repository, and to pull from another one, if it is named: without that it becomes an ordinary
    /// upload, so that nobody learns whether the source exists. It is asked for where the source is known.
    Mount(&'a Repository, Option<&'a Repository>),
    /// To push to a repository, in an upload that the same account has opened. It may go on with a token that has
    /// expired meanwhile.
    GoingOn(&'a Repository),
}

/// The table.
pub fn needs(route: &Route) -> Needs<'_> {
    match route {
        Route::Version => Needs::Credential,
        Route::Catalog(_) => Needs::Listing,
        Route::Tags(name, _)
        | Route::Referrers(name, ..)
        | Route::ManifestGet(name, _)
        | Route::BlobGet(name, _) => Needs::Of(name, Action::Pull),
        Route::ManifestPut(name, ..) | Route::UploadBegin(name, _) | Route::UploadWhole(name, _) => {
            Needs::Of(name, Action::Push)
        }
        Route::UploadMount(name, _, from) => Needs::Mount(name, from.as_ref()),
        Route::UploadStatus(name, _)
        | Route::UploadAppend(name, _)
        | Route::UploadFinish(name, ..)
        | Route::UploadCancel(name, _) => Needs::GoingOn(name),
        Route::ManifestDelete(name, _) | Route::BlobDelete(name, _) => Needs::Of(name, Action::Delete),
    }
}

impl Needs<'_> {
    /// The scope to ask the token issuer for (docker-auth-scope); none for a credential alone.
    pub fn scope(self) -> Option<String> {
        match self {
            Self::Credential => None,
            Self::Listing => Some("registry:catalog:*".into()),
            // Clients that push also look at what is there.
            Self::Of(name, Action::Push) | Self::GoingOn(name) | Self::Mount(name, None) => {
                Some(format!("repository:{name}:pull,push"))
            }
            Self::Mount(name, Some(from)) => {
                Some(format!("repository:{name}:pull,push repository:{from}:pull"))
            }
            Self::Of(name, action) => Some(format!("repository:{name}:{action}")),
        }
    }
}
