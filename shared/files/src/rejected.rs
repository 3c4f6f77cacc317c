//! The file in which people find what could not be taken.

use domain::Fault;
use intake::{Reject, rejects};

use crate::Upload;

pub fn rejects_key(id: &str) -> String {
    format!("rejects/{id}.csv")
}

pub struct RejectsFile<U> {
    upload: U,
    count: u64,
}

impl<U: Upload> RejectsFile<U> {
    pub fn new(upload: U) -> RejectsFile<U> {
        RejectsFile { upload, count: 0 }
    }

    pub async fn add(&mut self, rejected: &[Reject]) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        let first = self.count == 0 && !rejected.is_empty();
        let header = if first {
            rejects::write_header(&mut bytes)
        } else {
            Ok(())
        };
        header
            .and_then(|()| rejects::write(rejected, &mut bytes))
            .map_err(|error| Fault::Corrupt(format!("rejects could not be written: {error}")))?;
        self.count += rejected.len() as u64;
        self.upload.write(&bytes).await
    }

    /// Where nothing was rejected, there is no file.
    pub async fn finish(self) -> Result<u64, Fault> {
        if self.count > 0 {
            self.upload.finish().await?;
        }
        Ok(self.count)
    }
}
