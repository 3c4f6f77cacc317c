//! A function's invocation, and what may happen to it: it dies between two awaits, stands still, is refused, is run twice,
//! or goes on after everybody gave up on it.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use domain::Fault;
use edge::Invocation;

use super::world::World;

/// The service's own names of what goes wrong around a function.
const THROTTLED: &str = "Lambda.TooManyRequestsException";
const DIED: &str = "Runtime.ExitError";
const TIMED_OUT: &str = "Sandbox.Timedout";
const NO_ANSWER: &str = "Lambda.SdkClientException";

/// The function's answer, or the name of the error.
pub async fn invoke<T, F>(
    world: &Rc<World>,
    limit: Duration,
    run: impl Fn(Rc<World>, Invocation) -> F,
) -> Result<T, String>
where
    T: 'static,
    F: Future<Output = Result<T, Fault>> + 'static,
{
    let chance = &world.chance;
    let mishaps = chance.plan().function;
    if chance.hits(mishaps.throttled, "invocation throttled") {
        return Err(THROTTLED.to_owned());
    }
    let start = || {
        let invocation = Invocation {
            now: world.now(),
            remaining: limit,
            draw: chance.draw(),
        };
        let lives = chance
            .hits(mishaps.dies, "process died")
            // Most in the beginning, but some just before the end of a long run.
            .then(|| chance.below(if chance.half() { 40 } else { 300 }));
        let stall = chance
            .hits(mishaps.stalls, "process stood still")
            .then(|| (chance.below(30), chance.up_to_ms(60_000)));
        let work = run(world.clone(), invocation);
        world.running.set(world.running.get() + 1);
        let world = world.clone();
        tokio::task::spawn_local(async move {
            let outcome = tokio::time::timeout(limit, mortal(work, lives, stall)).await;
            world.running.set(world.running.get() - 1);
            match outcome {
                Err(_) => {
                    world.chance.count("invocation timed out", 1);
                    Err(TIMED_OUT.to_owned())
                }
                Ok(None) => Err(DIED.to_owned()),
                Ok(Some(Err(fault))) => Err(fault.name().to_owned()),
                Ok(Some(Ok(answer))) => Ok(answer),
            }
        })
    };
    let task = start();
    if chance.hits(mishaps.doubled, "invocation doubled") {
        drop(start());
    }
    if chance.hits(mishaps.abandoned, "invocation abandoned") {
        // A task that is not waited for goes on.
        return match tokio::time::timeout(chance.up_to_ms(2_000), task).await {
            Ok(done) => done.expect("a function that does not panic"),
            Err(_) => Err(NO_ANSWER.to_owned()),
        };
    }
    let answer = task.await.expect("a function that does not panic");
    if chance.hits(mishaps.unanswered, "invocation unanswered") {
        return Err(NO_ANSWER.to_owned());
    }
    answer
}

/// Drops the work at its nth step, and lets it stand still for a while before another.
pub async fn mortal<T>(
    work: impl Future<Output = T>,
    lives: Option<u64>,
    stall: Option<(u64, Duration)>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut steps = 0;
    loop {
        let stalls = stall.filter(|(at, _)| *at == steps);
        if let Some((_, time)) = stalls {
            tokio::time::sleep(time).await;
        }
        if lives == Some(steps) {
            return None;
        }
        steps += 1;
        let mut polled = false;
        let step = poll_fn(|context| {
            if polled {
                return Poll::Ready(None);
            }
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => {
                    polled = true;
                    Poll::Pending
                }
            }
        });
        if let Some(done) = step.await {
            return Some(done);
        }
    }
}
