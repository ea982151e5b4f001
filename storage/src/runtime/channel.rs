//! Messages from core to core. A core sleeps until the first message of a batch wakes it and then takes all there are:
//! under load a hop costs about a microsecond, not a wake-up.

pub use tokio::sync::oneshot::{Receiver as Reply, Sender as Replier, channel as reply};

/// The receiving core, or all senders, are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other core has ended")]
pub struct Closed;

/// A queue of at most `messages_max` messages from any core to one.
pub fn channel<T: Send>(messages_max: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = flume::bounded(messages_max);
    (Sender { inner: sender }, Receiver { inner: receiver })
}

/// The sending end; one per core that sends.
pub struct Sender<T> {
    inner: flume::Sender<T>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { inner: self.inner.clone() }
    }
}

impl<T: Send> Sender<T> {
    /// Sends, waiting while the queue is full. Messages of one task arrive in the order in which they were sent.
    ///
    /// The loop that drains a core's own queue must not wait here, or two full cores wait for each other for ever.
    pub async fn send(&self, message: T) -> Result<(), Closed> {
        self.inner.send_async(message).await.map_err(|_| Closed)
    }

    /// Sends if there is room; gives the message back if not, or if the receiver is gone.
    pub fn try_send(&self, message: T) -> Result<(), T> {
        self.inner.try_send(message).map_err(flume::TrySendError::into_inner)
    }

    /// Messages waiting now.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether none is waiting.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

/// The receiving end.
pub struct Receiver<T> {
    inner: flume::Receiver<T>,
}

impl<T: Send> Receiver<T> {
    /// The next message; `None` once all senders are gone and the queue is empty.
    pub async fn receive(&self) -> Option<T> {
        self.inner.recv_async().await.ok()
    }

    /// Waits for a message, then moves up to `batch_max` of those that are there to the end of `batch`. False once all
    /// senders are gone and the queue is empty.
    pub async fn receive_batch(&self, batch: &mut Vec<T>, batch_max: usize) -> bool {
        let Some(first) = self.receive().await else { return false };
        batch.push(first);
        batch.extend(self.inner.try_iter().take(batch_max.saturating_sub(1)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::Backend;
    use super::super::core;
    use super::*;

    #[test]
    fn messages_cross_in_order_and_in_batches() {
        let (sender, receiver) = channel::<(u32, Replier<u32>)>(4);
        let echo =
            core::start(core::CoreOptions { core: 1, cpu: None, backend: Backend::Threads }, move |_| async move {
                let mut batch = Vec::new();
                let mut expected = 0;
                while receiver.receive_batch(&mut batch, 3).await {
                    assert!(batch.len() <= 3);
                    for (value, replier) in batch.drain(..) {
                        assert_eq!(value, expected);
                        expected += 1;
                        let _ = replier.send(value * 2);
                    }
                }
            });
        let sum = core::block_on(Backend::Threads, |_| async move {
            let mut replies = Vec::new();
            for value in 0..100 {
                let (replier, answer) = reply();
                sender.send((value, replier)).await.unwrap();
                replies.push(answer);
            }
            let mut sum = 0;
            for answer in replies {
                sum += answer.await.unwrap();
            }
            sum
        });
        assert_eq!(sum.unwrap(), 9900);
        echo.unwrap().join();
    }

    #[test]
    fn a_full_queue_gives_the_message_back() {
        let (sender, receiver) = channel(1);
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(sender.try_send(2), Err(2));
        assert_eq!(sender.len(), 1);
        drop(receiver);
        assert_eq!(sender.try_send(3), Err(3));
    }
}
