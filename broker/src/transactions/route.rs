//! The way to a transactional id: its `__transaction_state` partition, the core that owns it, and back.

use std::rc::Rc;

use futures_util::future::join_all;
use protocol::ErrorCode;
use storage::LogId;
use storage::runtime::LocalFuture;

use super::home::Home;
use crate::groups::partition_for;
use crate::internal_topics::TRANSACTION_STATE_TOPIC;
use crate::shard::Shard;

/// The partition a transactional id belongs to; NOT_COORDINATOR as long as there is no such topic, which is made when
/// somebody asks for a coordinator.
pub fn home_of(shard: &Shard, transactional_id: &str) -> Result<LogId, ErrorCode> {
    let image = shard.image();
    let topic = image.topic(TRANSACTION_STATE_TOPIC).ok_or(ErrorCode::NOT_COORDINATOR)?;
    let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    Ok(LogId { topic_id: topic.id, partition: partition_for(transactional_id, partitions) })
}

/// Runs `work` where the transactional id is. The message leaves with the first poll.
pub async fn at_home<R: Send + 'static>(
    shard: &Rc<Shard>,
    transactional_id: &str,
    work: impl FnOnce(Rc<Shard>, Rc<Home>) -> LocalFuture<Result<R, ErrorCode>> + Send + 'static,
) -> Result<R, ErrorCode> {
    let id = home_of(shard, transactional_id)?;
    let answer = shard.run_on(shard.owner_of(id), move |shard| match shard.transactions().home(shard, id) {
        Ok(home) => work(shard.clone(), home),
        Err(error_code) => Box::pin(async move { Err(error_code) }),
    });
    answer.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))
}

/// Runs `work` on every core, with all of its `__transaction_state` partitions.
pub async fn at_all_homes<R: Send + 'static>(
    shard: &Rc<Shard>,
    work: impl Fn(&Shard, &Home) -> Result<R, ErrorCode> + Clone + Send + 'static,
) -> Result<Vec<R>, ErrorCode> {
    let image = shard.image();
    let Some(topic) = image.topic(TRANSACTION_STATE_TOPIC) else { return Ok(Vec::new()) };
    let ids: Vec<LogId> = topic.log_ids().collect();
    let answers = (0..shard.shards().cores()).map(|core| {
        let (ids, work) = (ids.clone(), work.clone());
        shard.run_on(core, move |shard| {
            let here = ids.into_iter().filter(|id| shard.owner_of(*id) == core);
            let homes = here.map(|id| shard.transactions().home(shard, id));
            let answers: Result<Vec<R>, ErrorCode> =
                homes.map(|home| home.and_then(|home| work(shard, &home))).collect();
            Box::pin(async move { answers })
        })
    });
    let mut all = Vec::new();
    for answer in join_all(answers).await {
        all.extend(answer.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))?);
    }
    Ok(all)
}
