//! An S3 server of its own for a test, on a folder and a port that the system picks. It ends with the test.

use crate::secret::Secret;
use crate::storage::config::S3;
use crate::storage::object::bucket::Bucket;
use crate::storage::object::s3;
use crate::storage::object::tests::wire::Wire;
use crate::storage::open::{self, Storage};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use object_store::{BackoffConfig, RetryConfig};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// A server with one bucket, `images`.
pub struct Server {
    folder: TempDir,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Server {
    /// Starts one.
    #[allow(clippy::disallowed_methods)] // a task that ends with the test
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("images")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("key", "a text that nobody knows"));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // This server looks whether an object stands there, and then writes it: two could do so at once.
        let turn = Arc::new(Mutex::new(()));
        let serving = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (service, turn) = (service.clone(), Arc::clone(&turn));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (service, turn) = (service.clone(), Arc::clone(&turn));
                    async move {
                        let puts = request.method() == Method::PUT;
                        let _turn = if puts { Some(turn.lock().await) } else { None };
                        Service::call(&service, request).await
                    }
                });
                tokio::spawn(async move {
                    let http = Builder::new(TokioExecutor::new());
                    drop(http.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        Self { folder, address, serving }
    }

    /// The settings of its bucket.
    pub fn settings(&self) -> S3 {
        S3 {
            bucket: "images".into(),
            region: "us-east-1".into(),
            endpoint: format!("http://{}", self.address),
            prefix: "some/where".into(),
            access_key_id: "key".into(),
            secret_access_key: Secret::new("a text that nobody knows"),
            ..S3::default()
        }
    }

    /// Its bucket, over a wire that counts and fails as it is told.
    pub fn bucket(&self, wire: &Wire) -> Bucket {
        opened(&self.settings(), wire)
    }

    /// Storage in its bucket.
    pub fn storage(&self) -> Storage {
        self.storage_over(&Wire::default())
    }

    /// The same over a wire.
    pub fn storage_over(&self, wire: &Wire) -> Storage {
        open::storage(self.bucket(wire), open::settings(5 << 20, 32 << 20))
    }

    /// The file in which it keeps an object of ours.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join("images/some/where").join(path)
    }

    /// Writes an object behind everybody's back.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let file = self.file(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A bucket over a wire, with retries that a test can wait for.
pub fn opened(settings: &S3, wire: &Wire) -> Bucket {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(5),
        base: 2.0,
    };
    let retries = RetryConfig { backoff, max_retries: 2, retry_timeout: Duration::from_secs(15) };
    s3::open(settings, &(Arc::new(wire.clone()) as _), &retries).unwrap()
}
