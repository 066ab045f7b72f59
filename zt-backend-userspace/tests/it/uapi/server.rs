//! A process with a UAPI socket, as well or badly behaved as a test wants it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use zt_backend_userspace::uapi::UapiSocket;

use super::OWN;
use super::model::{Model, hex};
use crate::lab::key;

/// What becomes of a request to change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conduct {
    /// It is carried out.
    Good,
    /// It is acknowledged and forgotten.
    Inert,
    /// It is carried out, and never answered.
    Silent,
    /// It is carried out, and answered by the beginning of an answer.
    Closing,
    /// It is read up to some bytes, then answered with this number, and the connection closed.
    Refusing(i32),
    /// It is carried out and answered with this text.
    Saying(&'static str),
    /// It is carried out up to the request with this number, counted from 0; that one is refused.
    Tiring(usize),
    /// It is carried out, and questions are refused from then on.
    Blinding,
    /// It is carried out without its lines about this.
    Forgetting(&'static str),
    /// After some bytes no more of it is read.
    Deaf,
    /// Nothing is answered, questions neither.
    Hanging,
    /// Questions are answered by the beginning of an answer.
    Mumbling,
    /// Questions are not answered.
    Mute,
}

/// What a server is, shared with the test.
#[derive(Debug)]
pub(super) struct State {
    pub(super) model: Model,
    pub(super) conduct: Conduct,
    /// The requests to change something, in their order.
    pub(super) requests: Vec<String>,
    /// What questions are answered with instead of the truth.
    pub(super) reply: Option<String>,
    /// In how many bytes at once answers are written.
    pub(super) piece: usize,
    /// The connections whose answers are withheld.
    pub(super) kept: Vec<UnixStream>,
}

/// A running server. Dropped, its socket goes too.
pub(super) struct Server {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
    /// Told when an answer is withheld.
    pub(super) withheld: Arc<Notify>,
    task: JoinHandle<()>,
}

/// A folder that nobody else has.
pub(super) fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("zt-uapi-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl Server {
    pub(super) fn start() -> Self {
        let own = key(OWN);
        let model = Model {
            private_key: hex(own.expose_bytes()),
            public_key: hex(own.public_key().as_bytes()),
            peers: Vec::new(),
        };
        let (conduct, requests, kept) = (Conduct::Good, Vec::new(), Vec::new());
        let state = State { model, conduct, requests, reply: None, piece: usize::MAX, kept };
        let (folder, state, withheld) = (folder(), Arc::new(Mutex::new(state)), Arc::new(Notify::new()));
        let listener = UnixListener::bind(folder.join("wg0.sock")).unwrap();
        let (served, told) = (Arc::clone(&state), Arc::clone(&withheld));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(stream) = serve(stream, &served).await {
                    served.lock().unwrap().kept.push(stream);
                    told.notify_one();
                }
            }
        });
        Self { folder, state, withheld, task }
    }

    pub(super) fn socket(&self) -> UapiSocket {
        UapiSocket::new(self.folder.join("wg0.sock"))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn behave(&self, conduct: Conduct) {
        self.state().conduct = conduct;
    }

    /// Ends the process without tidying up: the file of the socket stays.
    pub(super) async fn kill(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Answers one request; gives back a connection whose answer is withheld.
async fn serve(mut stream: UnixStream, state: &Mutex<State>) -> Option<UnixStream> {
    let (refuses, is_deaf) = {
        let conduct = &state.lock().unwrap().conduct;
        (matches!(conduct, Conduct::Refusing(_)), *conduct == Conduct::Deaf)
    };
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.ends_with(b"\n\n") {
        let count = stream.read(&mut chunk).await.unwrap_or(0);
        if count == 0 {
            return None;
        }
        request.extend_from_slice(&chunk[..count]);
        if is_deaf && request.starts_with(b"set") {
            return Some(stream);
        }
        if refuses && request.starts_with(b"set") {
            break;
        }
    }
    let request = String::from_utf8(request).unwrap();
    let (answer, piece) = {
        let state = &mut *state.lock().unwrap();
        (state.answer(&request), state.piece)
    };
    let Some(answer) = answer else { return Some(stream) };
    for part in answer.as_bytes().chunks(piece) {
        if stream.write_all(part).await.is_err() {
            break;
        }
        if piece < answer.len() {
            tokio::task::yield_now().await;
        }
    }
    None
}

impl State {
    fn answer(&mut self, request: &str) -> Option<String> {
        if self.conduct == Conduct::Hanging {
            return None;
        }
        let asks = request == "get=1\n\n";
        if asks && self.conduct == Conduct::Mumbling {
            return Some("private".into());
        }
        if asks && self.conduct == Conduct::Mute {
            return None;
        }
        if asks {
            return Some(self.reply.clone().unwrap_or_else(|| self.model.get()));
        }
        let number = self.requests.len();
        self.requests.push(request.to_owned());
        let answer = |errno| Some(format!("errno={errno}\n\n"));
        match self.conduct {
            Conduct::Inert => answer(0),
            Conduct::Refusing(errno) => answer(errno),
            Conduct::Tiring(last) if last == number => answer(-12),
            Conduct::Good | Conduct::Deaf | Conduct::Tiring(_) | Conduct::Mumbling | Conduct::Mute => {
                answer(self.model.set(request))
            }
            Conduct::Forgetting(key) => {
                let lines = request.split_inclusive('\n').filter(|line| !line.starts_with(key));
                answer(self.model.set(&lines.collect::<String>()))
            }
            Conduct::Silent | Conduct::Hanging => {
                self.model.set(request);
                None
            }
            Conduct::Closing => {
                self.model.set(request);
                Some("errno=".into())
            }
            Conduct::Saying(text) => {
                self.model.set(request);
                Some(text.into())
            }
            Conduct::Blinding => {
                self.reply = Some("errno=-5\n\n".into());
                answer(self.model.set(request))
            }
        }
    }
}
