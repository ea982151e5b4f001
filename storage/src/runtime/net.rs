//! The network: the only place that names tokio's sockets. One core accepts and hands connections round; the core that
//! serves a connection registers it with its own reactor.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Buffers handed to the kernel in one call; more would cost more to list than another call does.
const BUFFERS_PER_WRITE_MAX: usize = 64;

/// An address that is taken and not yet listened on: a client that comes is refused, another broker is kept off.
#[derive(Debug)]
pub struct BoundSocket {
    socket: Socket,
}

/// A listening socket on the core that accepts.
pub struct Listener {
    inner: TcpListener,
}

/// A connection on its way to the core that will serve it.
#[derive(Debug)]
pub struct Accepted {
    stream: std::net::TcpStream,
    /// Who connected.
    pub peer: SocketAddr,
}

impl BoundSocket {
    /// Takes `address`; needs no reactor. Set to take it over from a predecessor whose connections linger in TIME_WAIT.
    pub fn bind(address: SocketAddr) -> io::Result<BoundSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(BoundSocket { socket })
    }

    /// The address taken: with the port chosen when it was asked for port zero.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
    }

    /// Begins to listen, on the calling core, with room for `backlog` connections not yet accepted.
    pub fn listen(self, backlog: u32) -> io::Result<Listener> {
        self.socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(Listener { inner: TcpListener::from_std(self.socket.into())? })
    }
}

impl Listener {
    /// Takes `address` and listens on it.
    pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        BoundSocket::bind(address)?.listen(backlog)
    }

    /// Where it listens: the port chosen when `bind` was asked for port zero.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The next connection. Errors may be passing (too many open files): wait a moment and try again.
    pub async fn accept(&self) -> io::Result<Accepted> {
        let (stream, peer) = self.inner.accept().await?;
        Ok(Accepted { stream: stream.into_std()?, peer })
    }
}

/// A connection on the core that serves it, without Nagle's delay.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
}

impl Connection {
    /// Takes a connection over on the calling core.
    pub fn serve(accepted: Accepted) -> io::Result<Connection> {
        accepted.stream.set_nonblocking(true)?;
        accepted.stream.set_nodelay(true)?;
        Ok(Connection { stream: TcpStream::from_std(accepted.stream)?, peer: accepted.peer })
    }

    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, peer: address })
    }

    /// Who is at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This end.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Sizes of the kernel's buffers in bytes (`socket.receive.buffer.bytes`, `socket.send.buffer.bytes`); `None`
    /// leaves the kernel's choice.
    pub fn set_buffer_bytes(&self, receive: Option<usize>, send: Option<usize>) -> io::Result<()> {
        let socket = socket2::SockRef::from(&self.stream);
        receive.map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
        send.map_or(Ok(()), |bytes| socket.set_send_buffer_size(bytes))
    }

    /// Waits until there is something to read or the peer is done.
    pub async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Reads what is there into the spare capacity of `buffer`; zero bytes mean that the peer is done, `WouldBlock`
    /// that nothing is there.
    ///
    /// After a read that left room in the buffer the socket counts as drained, and [`Connection::readable`] waits: unlike
    /// tokio's `try_read`, which is told so only by another call that finds nothing.
    pub fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        // Nobody is woken by this read: who finds nothing waits in `readable`.
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.stream.read_buf(buffer)).poll(&mut context) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Waits until the kernel takes more.
    pub async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Writes what the kernel takes now, `WouldBlock` when that is nothing.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write_vectored(slices)
    }

    /// One task reads, another writes.
    pub fn split(self) -> (Reader, Writer) {
        let (reader, writer) = self.stream.into_split();
        (Reader { inner: reader }, Writer { inner: writer })
    }
}

/// So that TLS can wrap a connection.
impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct Reader {
    inner: tokio::net::tcp::OwnedReadHalf,
}

impl Reader {
    /// Reads what is there into the spare capacity of `buffer` (which it grows if there is none); zero bytes mean that
    /// the peer is done. Safe to drop before it completes: nothing is lost.
    pub async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.inner.read_buf(buffer).await
    }

    /// Waits until there is something to read or the peer is done, holding no buffer meanwhile: a thousand idle
    /// connections then cost no memory.
    pub async fn readable(&self) -> io::Result<()> {
        self.inner.readable().await
    }
}

/// The sending half. Dropping it says to the peer that nothing more will come.
#[derive(Debug)]
pub struct Writer {
    inner: tokio::net::tcp::OwnedWriteHalf,
}

impl Writer {
    /// Sends all of `rope`, by reference, in few calls.
    pub async fn write_rope(&mut self, rope: Vec<Bytes>) -> io::Result<()> {
        let mut rope = rope.into_iter().filter(|part| !part.is_empty()).collect::<std::collections::VecDeque<_>>();
        while !rope.is_empty() {
            let mut slices = [IoSlice::new(&[]); BUFFERS_PER_WRITE_MAX];
            let mut used = 0;
            for (slice, part) in slices.iter_mut().zip(&rope) {
                *slice = IoSlice::new(part);
                used += 1;
            }
            let written = self.inner.write_vectored(&slices[..used]).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            consume(&mut rope, written);
        }
        Ok(())
    }

    /// Sends what is left and says that nothing more will come.
    pub async fn close(&mut self) -> io::Result<()> {
        self.inner.shutdown().await
    }
}

fn consume(rope: &mut std::collections::VecDeque<Bytes>, mut bytes: usize) {
    while let Some(part) = rope.front_mut() {
        if part.len() > bytes {
            part.advance(bytes);
            return;
        }
        bytes -= part.len();
        rope.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::Backend;
    use super::super::core;
    use super::*;

    #[test]
    fn a_connection_is_handed_to_another_core_and_a_rope_comes_back_whole() {
        let (to_server, connections) = flume::bounded::<Accepted>(1);
        let options = core::CoreOptions { core: 1, cpu: None, backend: Backend::Threads };
        let server = core::start(options, move |_| async move {
            let connection = Connection::serve(connections.recv_async().await.unwrap()).unwrap();
            assert!(connection.peer().ip().is_loopback());
            let (mut reader, mut writer) = connection.split();
            let mut received = BytesMut::new();
            while reader.read(&mut received).await.unwrap() > 0 {}
            let rope: Vec<Bytes> = received.freeze().chunks(7).map(Bytes::copy_from_slice).collect();
            writer.write_rope(rope).await.unwrap();
            writer.close().await.unwrap();
        });
        let sent: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
        let expected = sent.clone();
        let echoed = core::block_on(Backend::Threads, |runtime| async move {
            let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
            let address = listener.local_address().unwrap();
            let client = Connection::connect(address);
            runtime.spawn(async move { to_server.send_async(listener.accept().await.unwrap()).await.unwrap() });
            let (mut reader, mut writer) = client.await.unwrap().split();
            writer.write_rope(vec![Bytes::new(), sent.into()]).await.unwrap();
            writer.close().await.unwrap();
            let mut echoed = BytesMut::new();
            while reader.read(&mut echoed).await.unwrap() > 0 {}
            echoed
        });
        assert!(echoed.unwrap() == expected);
        server.unwrap().join();
    }
}
