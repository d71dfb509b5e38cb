//! PostgreSQL keeps the contract of metadata.

macro_rules! keep_the_contract {
    ($contract:ident; $($rule:ident,)*) => {
        $(#[tokio::test]
        async fn $rule() {
            let Some(scratch) = scratch::database().await else { return };
            $contract::$rule(&scratch.process(TERM).await).await;
        })*
    };
}

mod of_images {
    use crate::metadata::contract;
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch;
    contract::every_rule!(keep_the_contract);
}

mod of_completeness {
    use crate::metadata::completeness_contract;
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch;
    completeness_contract::every_rule!(keep_the_contract);
}

mod of_listings {
    use crate::metadata::listing_contract;
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch;
    listing_contract::every_rule!(keep_the_contract);
}

mod of_uploads {
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch;
    use crate::metadata::uploads_contract;
    uploads_contract::every_rule!(keep_the_contract);
}

mod of_accounts {
    use crate::metadata::accounts_contract;
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch;
    accounts_contract::every_rule!(keep_the_contract);
}
