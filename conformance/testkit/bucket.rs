//! An S3 server in the process of a test: one bucket on a folder, and every request that came, by the name of its call.
//! It must not know what is kept in it, nor why.

use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::mem::take;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The server, with one bucket; it ends, and its folder goes, when this does.
pub struct Bucket {
    addr: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
    _serving: Runtime,
    _folder: TempDir,
}

impl Bucket {
    /// Starts one with nothing in it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("images")).expect("a bucket");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("an S3 server");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single("key", "a text that nobody knows"));
        let service = service.build();
        let serving = Runtime::new().expect("a runtime");
        let listener = serving.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let calls = Arc::default();
        serving.spawn(serve(listener, service, Arc::clone(&calls)));
        Self { addr, calls, _serving: serving, _folder: folder }
    }

    /// The section of a configuration that names it, with parts of so many bytes.
    pub fn config(&self, part_bytes: u64) -> String {
        format!(
            "[storage.s3]\nbucket = \"images\"\nendpoint = \"http://{}\"\naccess_key_id = \"key\"\n\
             secret_access_key = \"a text that nobody knows\"\npart_bytes = {part_bytes}\n",
            self.addr
        )
    }

    /// The calls since the last time, in the order in which they came: `GET`, `HEAD`, `PUT`, `DELETE`, `LIST`, `copy`, and of
    /// an upload in parts `begin`, `part`, `complete`, `abort`.
    pub fn calls(&self) -> Vec<String> {
        take(&mut self.calls.lock().expect("calls"))
    }
}

#[allow(clippy::disallowed_methods, reason = "tasks that end with the runtime of the test")]
async fn serve(listener: TcpListener, service: S3Service, calls: Arc<Mutex<Vec<String>>>) {
    // This server looks whether an object stands there, and then writes it: two could do so at once.
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    while let Ok((socket, _)) = listener.accept().await {
        let (service, turn, calls) = (service.clone(), Arc::clone(&turn), Arc::clone(&calls));
        let service = service_fn(move |request: Request<Incoming>| {
            let (service, turn) = (service.clone(), Arc::clone(&turn));
            calls.lock().expect("calls").push(name(&request));
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
}

fn name(request: &Request<Incoming>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let names = |key: &str| query.split('&').any(|pair| pair.split('=').next() == Some(key));
    let copies = request.headers().contains_key("x-amz-copy-source");
    let name = match request.method().as_str() {
        "GET" if names("list-type") => "LIST",
        "POST" if names("uploads") => "begin",
        "POST" if names("uploadId") => "complete",
        "PUT" if names("partNumber") && copies => "copy of a part",
        "PUT" if names("partNumber") => "part",
        "DELETE" if names("uploadId") => "abort",
        "PUT" if copies => "copy",
        other => other,
    };
    name.to_owned()
}
