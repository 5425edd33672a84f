//! How a member's HTTP is reached: under which name, and where by other hosts.

use super::flags::Flags;

impl Flags {
    /// The name that plain requests must call the member by; `None` where any will do.
    ///
    /// With a `host-whitelist` a member answers 421 to any other name in the header `Host`, and looks at it only without TLS (etcd v3.4.13
    /// embed/serve.go; 3.5.35 seen in the lab 2026-11-27).
    #[must_use]
    pub fn host_name(&self) -> Option<String> {
        let list = self.get("host-whitelist")?;
        let known: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if known.is_empty() || known.contains(&"*") {
            return None;
        }
        let advertised = self.advertise_client_urls();
        let mut advertised = advertised.iter().filter_map(|url| Some(authority(url)?.0));
        let name = advertised.find(|name| known.contains(name)).or_else(|| known.first().copied());
        name.map(str::to_owned)
    }

    /// Where other hosts reach its HTTP: the advertised URLs, unless it answers HTTP apart from its clients' port.
    #[must_use]
    pub fn http_urls_from_afar(&self) -> Vec<String> {
        let advertised = self.advertise_client_urls();
        if self.get("listen-client-http-urls").is_none_or(str::is_empty) {
            return advertised;
        }
        let name = advertised.iter().find_map(|url| Some(authority(url)?.0)).unwrap_or_default();
        let reached = self.http_urls();
        let reached = reached.iter().filter_map(|url| {
            let (scheme, _) = url.split_once("://")?;
            let (host, port) = authority(url)?;
            match host {
                "localhost" => None,
                // On all addresses.
                "" | "0.0.0.0" | "::" => Some(format!("{scheme}://{}:{port}", bracketed(name))),
                host if host.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback()) => None,
                host => Some(format!("{scheme}://{}:{port}", bracketed(host))),
            }
        });
        reached.collect()
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Host and port of a URL.
fn authority(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let (host, port) = rest.split('/').next()?.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(variables: &[(&str, &str)]) -> Flags {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Flags::from_process(&["etcd".to_owned()], &variables)
    }

    #[test]
    fn a_member_is_called_by_a_name_that_it_knows() {
        let name = |list: &str| {
            flags(&[("ETCD_HOST_WHITELIST", list), ("ETCD_ADVERTISE_CLIENT_URLS", "http://10.0.0.1:2379")]).host_name()
        };
        assert_eq!(name("a.lan,10.0.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(name("a.lan, b.lan").as_deref(), Some("a.lan"));
        assert!(name("*").is_none() && name("").is_none() && name("a.lan,*").is_none());
        assert!(flags(&[]).host_name().is_none());
    }

    #[test]
    fn http_that_is_apart_is_found_from_other_hosts_where_it_listens_for_them() {
        let afar = |apart: &str| {
            let advertised = ("ETCD_ADVERTISE_CLIENT_URLS", "https://10.0.0.1:2379");
            flags(&[advertised, ("ETCD_LISTEN_CLIENT_HTTP_URLS", apart)]).http_urls_from_afar()
        };
        assert_eq!(afar(""), ["https://10.0.0.1:2379"]);
        assert_eq!(afar("http://0.0.0.0:2390,https://[::]:2391"), ["http://10.0.0.1:2390", "https://10.0.0.1:2391"]);
        assert_eq!(afar("http://[fd00::1]:2390"), ["http://[fd00::1]:2390"]);
        assert!(afar("http://127.0.0.1:2390,http://localhost:2391,http://[::1]:2392").is_empty());
    }
}
