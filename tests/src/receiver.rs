//! A program that is told of events by a shop's webhook: keeps what it is told, and answers as badly as a scene wants.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// What is answered to a post.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, and nothing else.
    Status(u16),
    /// Look elsewhere.
    Redirect(String),
    /// 200, and a body that does not end.
    Endless,
    /// A head that does not end.
    LongHead,
    /// Nothing, and the connection stays.
    Silence,
    /// Nothing, and the connection is closed.
    HangUp,
}

/// A post, as it came.
#[derive(Clone, Debug)]
pub struct Posted {
    /// `POST /path HTTP/1.1`.
    pub first: String,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Posted {
    /// A header.
    ///
    /// # Panics
    /// When it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The event.
    ///
    /// # Panics
    /// When it is none.
    pub fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}): {self:?}"))
    }

    /// Its number.
    pub fn seq(&self) -> u64 {
        self.event().get("seq").and_then(Value::as_u64).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Heard {
    taken: Vec<Posted>,
    refused: usize,
    script: VecDeque<Answer>,
    always: Option<Answer>,
}

/// A receiver on a port of its own.
#[derive(Clone, Debug)]
pub struct Receiver {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

impl Receiver {
    /// Listens, and says yes to everything.
    ///
    /// # Panics
    /// When there is no port for it.
    pub fn listens() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|why| panic!("no port: {why}"));
        let address = listener.local_addr().unwrap_or_else(|why| panic!("no address: {why}"));
        let receiver = Receiver { address, heard: Arc::default() };
        let listening = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let one = listening.clone();
                std::thread::spawn(move || one.talk(stream));
            }
        });
        receiver
    }

    /// Where it listens, with a path that is a secret.
    pub fn url(&self) -> String {
        format!("http://{}/sesame", self.address)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next posts are answered like this, then yes.
    pub fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.heard().script.extend(answers);
    }

    /// From now on every post is answered like this; or yes again.
    pub fn always_answers(&self, answer: Option<Answer>) {
        self.heard().always = answer;
    }

    /// What it has said yes to, in the order in which it came.
    pub fn taken(&self) -> Vec<Posted> {
        self.heard().taken.clone()
    }

    /// How often it said anything else.
    pub fn refused(&self) -> usize {
        self.heard().refused
    }

    fn talk(&self, stream: TcpStream) {
        let Ok(reading) = stream.try_clone() else { return };
        let (mut reader, mut writer) = (BufReader::new(reading), stream);
        while let Some(posted) = read(&mut reader) {
            let answer = {
                let mut heard = self.heard();
                let next = heard.script.pop_front().or_else(|| heard.always.clone());
                let answer = next.unwrap_or(Answer::Status(200));
                match answer {
                    Answer::Status(200..=299) | Answer::Endless => heard.taken.push(posted),
                    _ => heard.refused += 1,
                }
                answer
            };
            if say(&mut writer, &mut reader, answer).is_none() {
                return;
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Posted> {
    let mut line = || {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Posted { first, headers, body })
}

/// Says it; nothing when this connection is over.
fn say(writer: &mut TcpStream, reader: &mut BufReader<TcpStream>, answer: Answer) -> Option<()> {
    let filler = [b'x'; 4096];
    match answer {
        Answer::Status(status) => write!(writer, "HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n").ok(),
        Answer::Redirect(to) => {
            write!(writer, "HTTP/1.1 307 Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").ok()
        }
        Answer::Endless => {
            write!(writer, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            loop {
                write!(writer, "1000\r\n").ok()?;
                writer.write_all(&filler).ok()?;
                write!(writer, "\r\n").ok()?;
            }
        }
        Answer::LongHead => {
            write!(writer, "HTTP/1.1 200 OK\r\nx: ").ok()?;
            loop {
                writer.write_all(&filler).ok()?;
            }
        }
        Answer::Silence => {
            // Until the other side has enough.
            let _ = reader.read(&mut [0; 1]);
            None
        }
        Answer::HangUp => None,
    }
}
