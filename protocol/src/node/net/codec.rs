//! One message on one stream: four bytes of length, big endian, then the body (SPEC §5.5).
//!
//! The end of the stream alone would not do as a frame: the multiplexer reports a reset stream and
//! a broken connection as an ordinary end, so half a message would look like a whole one. With the
//! length in front, an end before the first byte means «no answer», any other early end is an error.
//! The body grows as its bytes arrive, and pays for memory as it grows: a claimed length takes nothing from
//! others. It does take from the share of its own connection, so that no peer fills the room alone.
//!
//! libp2p keeps it to itself when a request can't be read. Whose fault that is matters to the budgets, so what
//! is broken comes in as a request, too, that says so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::limits::Row;

/// Why a stream did not yield a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("the message is longer than its protocol allows")]
    TooBig,
    #[error("the stream ended without an answer")]
    NoAnswer,
    #[error("the stream ended within a message")]
    Truncated,
    #[error("the request was recalled before it left")]
    Recalled,
    #[error("no memory left for requests")]
    NoRoom,
    #[error("the message did not come in time")]
    Stalled,
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        Self::other(broken)
    }
}

impl Broken {
    /// The reason inside an error that came back through libp2p.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

/// Whether a request can still be called back. Money depends on the answer, so it is decided
/// once, atomically: a request leaves or is recalled, never both.
#[derive(Debug, Clone, Default)]
pub(super) struct Departure(Arc<AtomicU8>);

impl Departure {
    const WAITING: u8 = 0;
    const LEFT: u8 = 1;
    const RECALLED: u8 = 2;

    /// The first byte is about to be written. `false`: it must not be.
    fn leave(&self) -> bool {
        self.settle(Self::LEFT)
    }

    /// Calls the request back. `true`: no byte of it has left or ever will.
    pub(super) fn recall(&self) -> bool {
        self.settle(Self::RECALLED)
    }

    fn settle(&self, wish: u8) -> bool {
        match self.0.compare_exchange(Self::WAITING, wish, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(settled) => settled == wish,
        }
    }
}

/// A request on its way out (with its departure) or in (with the memory it occupies).
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) body: Vec<u8>,
    pub(super) departure: Departure,
    pub(super) room: Room,
    /// Why there is no body.
    pub(super) broken: Option<Broken>,
}

/// The memory that a request occupies; given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Of what all peers have together.
    held: Option<OwnedSemaphorePermit>,
    /// Of what its connection has.
    _share: Option<OwnedSemaphorePermit>,
}

/// Reads and writes the messages of one protocol.
#[derive(Debug)]
pub(super) struct Codec {
    request_bytes: usize,
    answer_bytes: usize,
    /// Memory for the requests of all peers, in KiB.
    room: Arc<Semaphore>,
    /// What one connection may take of it, in KiB, and what is left of that. libp2p clones the codec once for each
    /// connection and from there for each stream: the first clone makes the share.
    share_kib: usize,
    share: Option<Arc<Semaphore>>,
    /// For the whole request, a little before libp2p gives the stream up and says nothing.
    deadline: Duration,
}

impl Clone for Codec {
    fn clone(&self) -> Self {
        let share = self.share.clone().unwrap_or_else(|| Arc::new(Semaphore::new(self.share_kib)));
        Self { room: Arc::clone(&self.room), share: Some(share), ..*self }
    }
}

impl Codec {
    pub(super) fn new(row: &Row, room: Arc<Semaphore>) -> Self {
        Self {
            request_bytes: row.request_bytes,
            answer_bytes: row.answer_bytes,
            // Every request can be paid, however narrow the room is.
            share_kib: (room.available_permits() / CONNECTION_SHARE).max(kib(row.request_bytes)),
            room,
            share: None,
            deadline: row.deadline / 10 * 9,
        }
    }

    /// The body and the memory it occupies.
    async fn take_in<T>(&self, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let length = read_length(io).await?;
        if length > self.request_bytes {
            return Err(Broken::TooBig.into());
        }
        let mut room = Room { held: None, _share: self.share_of(length).await };
        let body = read_body(io, length, || reserve(&self.room, &mut room.held)).await?;
        Ok(Request { body, room, ..Request::default() })
    }

    /// Waits until the connection's other requests leave room. The whole is taken at once, so that two halves
    /// never wait for each other.
    async fn share_of(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(kib(length)).ok()?;
        Arc::clone(self.share.as_ref()?).acquire_many_owned(wanted).await.ok()
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let taken = timeout(self.deadline, self.take_in(io)).await;
        match taken.unwrap_or_else(|_| Err(Broken::Stalled.into())) {
            Ok(request) => Ok(request),
            Err(error) => match Broken::of(&error) {
                Some(broken) => Ok(Request { broken: Some(broken), ..Request::default() }),
                None => Err(error),
            },
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.answer_bytes).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        if !request.departure.leave() {
            return Err(Broken::Recalled.into());
        }
        write(io, &request.body, self.request_bytes).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &answer, self.answer_bytes).await
    }
}

/// Bytes read, and paid for, at a time.
const CHUNK: usize = 1024;
/// So many connections can fill the room.
const CONNECTION_SHARE: usize = 16;

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(CHUNK)
}

async fn read<T>(io: &mut T, limit: usize) -> io::Result<Vec<u8>>
where
    T: AsyncRead + Unpin + Send,
{
    let length = read_length(io).await?;
    if length > limit {
        return Err(Broken::TooBig.into());
    }
    read_body(io, length, || Ok(())).await
}

async fn read_body<T>(
    io: &mut T,
    length: usize,
    mut pay: impl FnMut() -> Result<(), Broken>,
) -> io::Result<Vec<u8>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut body = Vec::new();
    while body.len() < length {
        let step = CHUNK.min(length - body.len());
        let wanted = u64::try_from(step).map_err(|_| Broken::TooBig)?;
        if AsyncReadExt::take(&mut *io, wanted).read_to_end(&mut body).await? < step {
            return Err(Broken::Truncated.into());
        }
        // Paid when it is here: promises are free to make, so they must not cost others anything.
        pay()?;
    }
    Ok(body)
}

async fn read_length<T>(io: &mut T) -> io::Result<usize>
where
    T: AsyncRead + Unpin + Send,
{
    let mut head = Vec::with_capacity(4);
    AsyncReadExt::take(io, 4).read_to_end(&mut head).await?;
    match <[u8; 4]>::try_from(head.as_slice()) {
        Ok(bytes) => Ok(usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| Broken::TooBig)?),
        Err(_) if head.is_empty() => Err(Broken::NoAnswer.into()),
        Err(_) => Err(Broken::Truncated.into()),
    }
}

async fn write<T>(io: &mut T, body: &[u8], limit: usize) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    let length = u32::try_from(body.len()).map_err(|_| Broken::TooBig)?;
    if body.len() > limit {
        return Err(Broken::TooBig.into());
    }
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(body).await?;
    io.flush().await
}

fn reserve(room: &Arc<Semaphore>, held: &mut Option<OwnedSemaphorePermit>) -> Result<(), Broken> {
    let more = Arc::clone(room).try_acquire_owned().map_err(|_| Broken::NoRoom)?;
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    async fn read_bytes(bytes: &[u8]) -> Result<Vec<u8>, Option<Broken>> {
        read(&mut Cursor::new(bytes), 8).await.map_err(|error| Broken::of(&error))
    }

    #[tokio::test]
    async fn a_message_comes_back_whole_or_not_at_all() {
        let mut wire = Vec::new();
        write(&mut wire, b"eight by", 8).await.unwrap();
        assert_eq!(read_bytes(&wire).await, Ok(b"eight by".to_vec()));
        for cut in 1..wire.len() {
            assert_eq!(read_bytes(&wire[..cut]).await, Err(Some(Broken::Truncated)), "cut at {cut}");
        }
        assert_eq!(read_bytes(&[]).await, Err(Some(Broken::NoAnswer)));
        assert_eq!(read_bytes(&[0, 0, 0, 0]).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn the_limit_holds_for_reader_and_writer() {
        assert_eq!(read_bytes(&[0, 0, 0, 9, 1]).await, Err(Some(Broken::TooBig)));
        assert_eq!(read_bytes(&[255; 64]).await, Err(Some(Broken::TooBig)));
        let refused = write(&mut Vec::new(), &[0; 9], 8).await.unwrap_err();
        assert_eq!(Broken::of(&refused), Some(Broken::TooBig));
    }

    #[test]
    fn a_request_leaves_or_is_recalled_never_both() {
        let gone = Departure::default();
        assert!(gone.leave());
        assert!(!gone.recall());
        let recalled = Departure::default();
        assert!(recalled.recall());
        assert!(recalled.recall(), "the second question gets the same answer");
        assert!(!recalled.leave());
    }

    #[test]
    fn memory_for_requests_runs_out_and_comes_back() {
        let room = Arc::new(Semaphore::new(1));
        let mut held = None;
        assert_eq!(reserve(&room, &mut held), Ok(()));
        assert_eq!(reserve(&room, &mut held), Err(Broken::NoRoom));
        drop(held.take());
        assert_eq!(reserve(&room, &mut held), Ok(()));
    }

    fn codec(room: &Arc<Semaphore>) -> Codec {
        let row = Row { deadline: Duration::from_millis(100), ..super::super::limits::Limits::TABLE.pay };
        Codec::new(&row, Arc::clone(room))
    }

    /// A length that is only claimed takes nothing from others, and no more than its share from its connection.
    #[tokio::test]
    async fn a_promise_reserves_nothing_of_the_others() {
        let room = Arc::new(Semaphore::new(64 * 1024));
        let (one, other) = (codec(&room), codec(&room));
        let (one, other) = (one.clone(), other.clone());
        let mut held = Vec::new();
        for _ in 0..40 {
            held.push(one.share_of(100 * 1024).await.unwrap());
        }
        let left = one.share.as_ref().unwrap().available_permits();
        assert_eq!(left, 96, "of a sixteenth of the room");
        assert_eq!(room.available_permits(), 64 * 1024);
        assert!(other.share_of(100 * 1024).await.is_some(), "another connection has its own");
        let mut stalled = Cursor::new([0, 0, 4, 0, 1, 2, 3]).chain(Never);
        let name = StreamProtocol::new("/stermina/pay/1");
        let request = request_response::Codec::read_request(&mut other.clone(), &name, &mut stalled).await;
        assert_eq!(request.unwrap().broken, Some(Broken::Stalled));
        assert_eq!(room.available_permits(), 64 * 1024);
    }

    /// A stream on which nothing comes any more.
    struct Never;

    impl AsyncRead for Never {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::task::Poll::Pending
        }
    }
}
