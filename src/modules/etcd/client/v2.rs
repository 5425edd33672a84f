//! The v2 store of a member, by the API that serves it up to 3.5: what is in it, and what changes it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::json;

use crate::etcd::{self, Removed, V2Folder, V2Key, V2Listing, V2Made, V2Store};
use crate::remote::HttpResponse;

use super::{CHANGE, Client, ClientError, QUESTION, STORE_CAP, WHOLE_STORE, header};

/// What stands for itself in the path of a URL (RFC 3986, section 2.3), and what divides its parts.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A key as a part of a URL.
fn escaped(key: &str) -> PercentEncode<'_> {
    utf8_percent_encode(key, PLAIN)
}

/// The form that makes a key or a folder where there is nothing of its name.
fn form(what: &[(&str, &str)], ttl: Option<u64>) -> Vec<u8> {
    let end = ttl.map(|ttl| ("ttl", ttl.to_string()));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(what).append_pair("prevExist", "false").extend_pairs(end).finish().into_bytes()
}

impl Client {
    /// The keys right below the root of the v2 store that are not hidden, each with its slash.
    pub(in crate::modules::etcd) async fn v2_top(&self) -> Result<Vec<String>, ClientError> {
        let answer = self.get("/v2/keys/").await?;
        Ok(etcd::v2_top(answer.status, &answer.body)?)
    }

    /// The same of a member that may have no v2 API; `None` is for one that does not serve it.
    pub(in crate::modules::etcd) async fn v2_top_if_served(&self) -> Result<Option<Vec<String>>, ClientError> {
        let answer = self.get("/v2/keys/").await?;
        if etcd::lacks_v2_api(answer.status, &answer.body) {
            return Ok(None);
        }
        Ok(Some(etcd::v2_top(answer.status, &answer.body)?))
    }

    /// Removes a key of the v2 store with all below it.
    pub(in crate::modules::etcd) async fn v2_delete(&self, key: &str) -> Result<(), ClientError> {
        let path = format!("/v2/keys{}?recursive=true&dir=true", escaped(key));
        let answer = self.json("DELETE", &path, &json!(null), CHANGE).await?;
        Ok(etcd::v2_deleted(answer.status, &answer.body)?)
    }

    /// What is in the v2 store and not hidden.
    pub(in crate::modules::etcd) async fn v2_store(&self) -> Result<V2Store, ClientError> {
        let answer = self.v2_whole().await?;
        Ok(etcd::v2_store(answer.status, &answer.body)?)
    }

    async fn v2_whole(&self) -> Result<HttpResponse, ClientError> {
        self.ask("/v2/keys/?recursive=true&sorted=true", WHOLE_STORE, STORE_CAP).await
    }

    /// Removes a key of the v2 store, if it still is what it was.
    pub(in crate::modules::etcd) async fn v2_remove(&self, key: &V2Key) -> Result<Removed, ClientError> {
        self.v2_removed(format!("/v2/keys{}?prevIndex={}", escaped(&key.key), key.modified)).await
    }

    /// Removes a folder of the v2 store, if nothing is in it.
    pub(in crate::modules::etcd) async fn v2_remove_folder(&self, folder: &V2Folder) -> Result<Removed, ClientError> {
        self.v2_removed(format!("/v2/keys{}?dir=true", escaped(&folder.key))).await
    }

    async fn v2_removed(&self, path: String) -> Result<Removed, ClientError> {
        let answer = self.json("DELETE", &path, &json!(null), CHANGE).await?;
        Ok(etcd::v2_removed(answer.status, &answer.body)?)
    }

    /// All that is in the v2 store and not hidden, as the member says it, out of its own store and without a word in the log of the cluster
    /// (etcd etcdserver/v2_server.go: only a read with `quorum` is proposed, read 2026-11-28); `None` where its API does not serve.
    pub(in crate::modules::etcd) async fn v2_listing(&self) -> Result<Option<V2Listing>, ClientError> {
        let answer = self.v2_whole().await?;
        let index = header(&answer, "X-Etcd-Index", 10).ok();
        Ok(etcd::v2_listing(answer.status, index, answer.body)?)
    }

    /// Whether the v2 store wants to know who asks. No password is shown for it: who may not ask is told just that.
    pub(in crate::modules::etcd) async fn v2_auth(&self) -> Result<bool, ClientError> {
        let answer = self.sent(self.request("GET", "/v2/auth/enable", QUESTION)).await?;
        Ok(etcd::v2_auth(answer.status, &answer.body)?)
    }

    /// Puts a key into the v2 store, if there is none of its name.
    pub(in crate::modules::etcd) async fn v2_make(&self, key: &V2Key) -> Result<V2Made, ClientError> {
        self.v2_made(&key.key, &[("value", &key.value)], key.ttl).await
    }

    /// Makes a folder in the v2 store, if there is nothing of its name.
    pub(in crate::modules::etcd) async fn v2_make_folder(&self, folder: &V2Folder) -> Result<V2Made, ClientError> {
        self.v2_made(&folder.key, &[("dir", "true")], folder.ttl).await
    }

    async fn v2_made(&self, key: &str, what: &[(&str, &str)], ttl: Option<u64>) -> Result<V2Made, ClientError> {
        let mut request = self.request("PUT", &format!("/v2/keys{}", escaped(key)), CHANGE);
        request.headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        request.body = form(what, ttl);
        let answer = self.perform(request).await?;
        Ok(etcd::v2_made(answer.status, &answer.body)?)
    }
}
