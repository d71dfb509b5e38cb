//! Headers on every answer that keep a browser from making more of it than it is. Clients of the API read past
//! them. It must not know what was asked, beyond whether it is the API's.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const HTTPS_FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Lays them over an answer. `of_api`: it belongs to the distribution API, whose answers no browser shows.
/// `https_only`: from now on this name is to be asked over TLS alone (RFC 6797).
///
/// A page that loads styles or scripts of ours sets a policy of its own, which then stays.
pub fn protect(headers: &mut HeaderMap, of_api: bool, https_only: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.entry(REFERRER_POLICY).or_insert(NO_REFERRER);
    if https_only {
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_FOR_A_YEAR);
    }
    if !of_api {
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
        // Tokens and accounts, refusals too: none of it is for a cache, unless the answer says so.
        headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_guarded_and_only_tls_demands_tls() {
        for (of_api, https_only) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut headers = HeaderMap::new();
            protect(&mut headers, of_api, https_only);
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[REFERRER_POLICY], "no-referrer");
            assert_eq!(headers.contains_key(STRICT_TRANSPORT_SECURITY), https_only);
            assert_eq!(headers.contains_key(CONTENT_SECURITY_POLICY), !of_api);
            assert_eq!(headers.contains_key(CACHE_CONTROL), !of_api);
        }
    }

    #[test]
    fn a_page_may_have_a_policy_of_its_own() {
        let mut headers = HeaderMap::new();
        let own = HeaderValue::from_static("default-src 'self'");
        headers.insert(CONTENT_SECURITY_POLICY, own.clone());
        protect(&mut headers, false, true);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], own);
    }
}
