//! Files and a queue in memory, for `chunk`.

use std::sync::Mutex;

use chunk::ports::{Body, Files, Object, Queue};
use domain::{Batch, Fault};

#[derive(Default)]
pub struct MemoryFiles {
    pub content: Vec<u8>,
    /// Bytes in one piece of the stream.
    pub piece: usize,
    /// The stream breaks off after so many pieces.
    pub breaks_after: Option<usize>,
    pub rejects: Mutex<Option<Vec<u8>>>,
}

struct Pieces {
    pieces: std::vec::IntoIter<Vec<u8>>,
    left: Option<usize>,
}

impl Body for Pieces {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match &mut self.left {
            Some(0) => return Err(Fault::Transient("the connection broke".to_owned())),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(self.pieces.next())
    }
}

impl Files for MemoryFiles {
    async fn open(&self, object: &Object) -> Result<Option<impl Body>, Fault> {
        let pieces: Vec<Vec<u8>> = self
            .content
            .chunks(self.piece.max(1))
            .map(<[u8]>::to_vec)
            .collect();
        Ok((object.version != "gone").then(|| Pieces {
            pieces: pieces.into_iter(),
            left: self.breaks_after,
        }))
    }

    async fn put_rejects(
        &self,
        _bucket: &str,
        _import_id: &str,
        file: Vec<u8>,
    ) -> Result<(), Fault> {
        *self.rejects.lock().expect("a lock") = Some(file);
        Ok(())
    }
}

#[derive(Default)]
pub struct MemoryQueue {
    pub batches: Mutex<Vec<Batch>>,
}

impl Queue for MemoryQueue {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        self.batches.lock().expect("a lock").extend(batches);
        Ok(())
    }
}
