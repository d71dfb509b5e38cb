//! How long another registry is waited for, and when it is asked again. It must not know what is asked.

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use std::time::Duration;

/// How long anything is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until there is a connection.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub stall: Duration,
    /// For a whole answer: nothing that is read here is large.
    pub total: Duration,
    /// How often a registry that is busy is asked again.
    pub retries: u32,
    /// The first pause before asking again when the registry names none; each further one is twice as long.
    pub pause: Duration,
    /// Longest pause that a registry may ask for.
    pub pause_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            total: Duration::from_mins(5),
            retries: 4,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// How long to wait before asking again, if that is any use: after 429, when nothing was done; after 503, when asking
    /// twice does no harm.
    pub fn pause(
        &self,
        tried: u32,
        method: &Method,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Duration> {
        let harmless = method == Method::GET || method == Method::HEAD;
        let busy =
            status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE && harmless;
        if !busy || tried >= self.retries {
            return None;
        }
        let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let pause = asked.map_or_else(|| self.pause.saturating_mul(1 << tried.min(16)), Duration::from_secs);
        (pause <= self.pause_max).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(tried: u32, method: &Method, status: u16, retry_after: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        if !retry_after.is_empty() {
            headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Patience::default().pause(tried, method, status, &headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_busy_registry_is_asked_again_when_it_says() {
        assert_eq!(pause(0, &Method::GET, 429, "7"), Some(7));
        assert_eq!(pause(0, &Method::DELETE, 429, "0"), Some(0));
        assert_eq!(pause(3, &Method::GET, 503, ""), Some(8), "1, 2, 4, 8 seconds without its word");
        assert_eq!(pause(0, &Method::GET, 429, "Wed, 21 Oct 2015 07:28:00 GMT"), Some(1));
    }

    #[test]
    fn but_not_for_ever_and_not_when_it_could_do_harm() {
        assert_eq!(pause(4, &Method::GET, 429, "1"), None);
        assert_eq!(pause(0, &Method::GET, 429, "31"), None);
        assert_eq!(pause(0, &Method::GET, 429, "99999999999999999999999"), Some(1));
        assert_eq!(pause(0, &Method::DELETE, 503, "1"), None);
        assert_eq!(pause(0, &Method::GET, 500, "1"), None);
        assert_eq!(pause(0, &Method::GET, 200, "1"), None);
    }
}
