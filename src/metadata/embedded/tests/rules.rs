//! Both engines keep the contract of metadata.

macro_rules! keep_the_contract {
    ($contract:ident; $($rule:ident,)*) => {
        $(async fn $rule(engine: Engine) {
            let folder = tempfile::tempdir().unwrap();
            let (metadata, moved_aside) = opened(engine, folder.path()).await.unwrap();
            assert_eq!(moved_aside, None);
            $contract::$rule(&metadata).await;
        })*
        mod contract_on_sled {
            use super::Engine;
            $(#[tokio::test] async fn $rule() { super::$rule(Engine::Sled).await; })*
        }
        mod contract_on_redb {
            use super::Engine;
            $(#[tokio::test] async fn $rule() { super::$rule(Engine::Redb).await; })*
        }
    };
}

mod of_images {
    use crate::metadata::config::Engine;
    use crate::metadata::contract;
    use crate::metadata::embedded::tests::engines::opened;
    contract::every_rule!(keep_the_contract);
}

mod of_completeness {
    use crate::metadata::completeness_contract;
    use crate::metadata::config::Engine;
    use crate::metadata::embedded::tests::engines::opened;
    completeness_contract::every_rule!(keep_the_contract);
}

mod of_listings {
    use crate::metadata::config::Engine;
    use crate::metadata::embedded::tests::engines::opened;
    use crate::metadata::listing_contract;
    listing_contract::every_rule!(keep_the_contract);
}

mod of_uploads {
    use crate::metadata::config::Engine;
    use crate::metadata::embedded::tests::engines::opened;
    use crate::metadata::uploads_contract;
    uploads_contract::every_rule!(keep_the_contract);
}

mod of_accounts {
    use crate::metadata::accounts_contract;
    use crate::metadata::config::Engine;
    use crate::metadata::embedded::tests::engines::opened;
    accounts_contract::every_rule!(keep_the_contract);
}
