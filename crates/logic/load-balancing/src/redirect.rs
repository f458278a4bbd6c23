//! Where a redirect leads.

use crate::Redirect;

/// The parts of the request that a redirect can name.
#[derive(Clone, Copy, Debug)]
pub struct RedirectParts<'a> {
    /// `http` or `https`, of the listener.
    pub protocol: &'a str,
    /// The host that the client named, without a port.
    pub host: &'a str,
    /// The port of the listener.
    pub port: u16,
    /// The path, with its leading slash.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: &'a str,
}

/// The value of `Location`. The port is always in it, as AWS writes it.
pub fn location(redirect: &Redirect, parts: RedirectParts<'_>) -> String {
    let mut text = String::with_capacity(64 + parts.path.len() + parts.query.len());
    let start = text.len();
    expand(&mut text, &redirect.protocol, parts);
    text[start..].make_ascii_lowercase();
    text.push_str("://");
    expand(&mut text, &redirect.host, parts);
    text.push(':');
    expand(&mut text, &redirect.port, parts);
    if !redirect.path.starts_with('/') {
        text.push('/');
    }
    expand(&mut text, &redirect.path, parts);
    let before_query = text.len();
    text.push('?');
    expand(&mut text, &redirect.query, parts);
    if text.len() == before_query + 1 {
        text.truncate(before_query);
    }
    text
}

fn expand(out: &mut String, template: &str, parts: RedirectParts<'_>) {
    let mut rest = template;
    while let Some(start) = rest.find("#{") {
        out.push_str(&rest[..start]);
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else {
            rest = &rest[start..];
            break;
        };
        match &after[..end] {
            "protocol" => out.push_str(parts.protocol),
            "host" => out.push_str(parts.host),
            "port" => out.push_str(&parts.port.to_string()),
            "path" => out.push_str(parts.path.strip_prefix('/').unwrap_or(parts.path)),
            "query" => out.push_str(parts.query),
            _ => out.push_str(&rest[start..=(start + 2 + end)]),
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(protocol: &str, host: &str, port: &str, path: &str, query: &str) -> Redirect {
        Redirect {
            protocol: protocol.into(),
            host: host.into(),
            port: port.into(),
            path: path.into(),
            query: query.into(),
            status: 301,
        }
    }

    #[test]
    fn placeholders_expand() {
        let parts =
            RedirectParts { protocol: "http", host: "example.com", port: 80, path: "/a/b", query: "x=1" };
        let table = [
            (redirect("HTTPS", "#{host}", "443", "/#{path}", "#{query}"), "https://example.com:443/a/b?x=1"),
            (
                redirect("#{protocol}", "www.#{host}", "#{port}", "/new/#{path}", "#{query}&y=2"),
                "http://www.example.com:80/new/a/b?x=1&y=2",
            ),
            (redirect("HTTP", "other", "8080", "/fixed", ""), "http://other:8080/fixed"),
            (
                redirect("HTTP", "h", "#{port}", "/#{host}/#{port}#{nothing}#{", "#{path}"),
                "http://h:80/example.com/80#{nothing}#{?a/b",
            ),
        ];
        for (redirect, wanted) in table {
            assert_eq!(location(&redirect, parts), wanted);
        }
        let bare = RedirectParts { query: "", path: "/", ..parts };
        assert_eq!(
            location(&redirect("HTTPS", "#{host}", "443", "/#{path}", "#{query}"), bare),
            "https://example.com:443/"
        );
    }
}
