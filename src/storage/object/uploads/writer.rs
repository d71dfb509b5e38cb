//! Writes the bytes of one body: gathers them until they fill a part, and puts parts while more come. What does not
//! fill a part goes into the checkpoint.
//!
//! Memory is taken as bytes come: first a little, then enough for a part. An upload that holds memory for long while others
//! wait puts what it has into the bucket as a piece, gives its memory back, and stays with little for the rest of that
//! part: so slow clients never keep fast ones out, however slow they are and however many. A piece that is little yet
//! takes in the next one, so that a part has few.

use crate::oci::upload::{Checkpoint, UploadId};
use crate::storage::blobs::Staging;
use crate::storage::error::{Error, Result};
use crate::storage::object::uploads::checkpoint::{Piece, State};
use crate::storage::object::uploads::gathered::Gathered;
use crate::storage::object::uploads::hashing::Hashing;
use crate::storage::object::uploads::memory::Room;
use crate::storage::object::uploads::store::Uploads;
use crate::storage::object::uploads::{load, multipart};
use crate::stream::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::PutPayload;
use std::io;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// What an upload takes of memory first.
const LITTLE: u64 = 256 << 10;
/// So many bytes are hashed at once.
const HASHED_BYTES: u64 = 512 << 10;
/// From so many pieces on a checkpoint holds their bytes itself: they are read back one by one.
const PIECES_JOINED: usize = 32;

/// A part on its way: which one, and what the bucket calls it.
type Flown = Result<(usize, String)>;

/// An upload that takes bytes.
pub struct Writer<'a> {
    uploads: &'a Uploads,
    upload: UploadId,
    staging: Staging,
    state: State,
    part_bytes: u64,
    /// Bytes behind the pieces, in memory.
    gathered: Gathered,
    room: Option<Room>,
    /// Others had to wait for this one.
    slow: bool,
    unhashed: u64,
    hashing: Hashing,
    flying: JoinSet<Flown>,
    /// What the checkpoint before this one has replaced. It was recorded, or it would not have been handed in.
    replaced: Vec<String>,
}

/// What may happen next.
enum Event {
    Chunk(Option<io::Result<Bytes>>),
    Flown(std::result::Result<Flown, JoinError>),
    Wanted,
}

impl<'a> Writer<'a> {
    /// Goes on behind `staging.offset`.
    pub async fn open(uploads: &'a Uploads, staging: Staging) -> Result<Self> {
        let Staging { upload, offset, algorithm, checkpoint, .. } = staging;
        let mut state = match offset {
            0 => State::empty(algorithm),
            _ => load::state(&uploads.objects, upload, checkpoint, offset).await?,
        };
        let replaced = std::mem::take(&mut state.spent);
        if let Some(name) = checkpoint.map(|checkpoint| checkpoint.to_string())
            && state.pieces.iter().all(|piece| piece.name != name)
        {
            state.spent.push(name);
        }
        let mut writer = Self {
            uploads,
            upload,
            staging,
            part_bytes: match &state.multipart {
                Some(multipart) => multipart.part_bytes,
                // It may have been begun where parts are larger.
                None => uploads.settings.part_bytes.max(state.pieces_bytes()),
            },
            gathered: Gathered::default(),
            room: None,
            slow: false,
            unhashed: 0,
            hashing: Hashing::new(state.hasher.clone()),
            flying: JoinSet::new(),
            replaced,
            state,
        };
        if writer.state.offset > offset {
            writer.cut().await?;
        }
        Ok(writer)
    }

    /// Drops what stands beyond the offset.
    async fn cut(&mut self) -> Result<()> {
        self.room = Some(self.uploads.large.take(self.part_bytes).await?);
        let kept =
            load::cut(&self.uploads.objects, self.upload, &mut self.state, self.staging.offset).await?;
        self.hashing = Hashing::new(self.state.hasher.clone());
        for piece in kept {
            self.gathered.push(piece);
        }
        self.gathered.unseen(true);
        Ok(())
    }

    /// Takes all of a body; why it ended, if that was before its end.
    pub async fn take_all(&mut self, mut body: ByteStream) -> Result<Option<io::Error>> {
        loop {
            let event = tokio::select! {
                biased;
                chunk = body.next() => Event::Chunk(chunk),
                Some(flown) = self.flying.join_next() => Event::Flown(flown),
                () = wanted(self.room.as_ref()) => Event::Wanted,
            };
            match event {
                Event::Chunk(None) => return Ok(None),
                Event::Chunk(Some(Err(cut))) => return Ok(Some(cut)),
                Event::Chunk(Some(Ok(chunk))) => self.take(chunk).await?,
                Event::Flown(flown) => self.landed(flown)?,
                Event::Wanted => self.give_back().await?,
            }
        }
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<()> {
        while !chunk.is_empty() {
            if self.part_so_far() == self.part_bytes {
                self.put_part().await?;
            }
            if self.state.multipart.as_ref().is_some_and(|all| all.parts.len() as u64 >= multipart::PARTS_MAX)
            {
                let why =
                    format!("no upload fits that is larger than 10,000 parts of {} bytes", self.part_bytes);
                return Err(Error::at(
                    self.upload.to_string(),
                    io::Error::new(io::ErrorKind::FileTooLarge, why),
                ));
            }
            let space = self.space().await?;
            let piece = chunk.split_to(chunk.len().min(usize::try_from(space).unwrap_or(usize::MAX)));
            self.state.offset += piece.len() as u64;
            self.unhashed += piece.len() as u64;
            self.gathered.push(piece);
            if self.unhashed >= HASHED_BYTES {
                self.unhashed = 0;
                let unseen = self.gathered.unseen(false);
                self.hashing.take(unseen).await?;
            }
        }
        if self.part_so_far() == self.part_bytes {
            self.put_part().await?;
        }
        while let Some(flown) = self.flying.try_join_next() {
            self.landed(flown)?;
        }
        Ok(())
    }

    /// Bytes of the part in the making.
    fn part_so_far(&self) -> u64 {
        self.state.pieces_bytes() + self.gathered.bytes()
    }

    /// How many bytes may be gathered now: at least one.
    async fn space(&mut self) -> Result<u64> {
        loop {
            let Some(room) = &self.room else {
                self.room = Some(self.uploads.small.take(LITTLE.min(self.part_bytes)).await?);
                continue;
            };
            let space = room.bytes.saturating_sub(self.gathered.bytes());
            if space > 0 {
                return Ok(space.min(self.part_bytes - self.part_so_far()));
            }
            if !self.slow {
                self.room = Some(self.uploads.large.take(self.part_bytes).await?);
            } else if let Some(room) = self.uploads.large.take_now(self.part_bytes) {
                self.room = Some(room);
            } else {
                self.give_back().await?;
            }
        }
    }

    /// Puts what is in memory into the bucket, and gives the memory back. Of any two neighbours that no checkpoint
    /// speaks of, one is more than half of `LITTLE`: a client that sends a byte now and then makes no more pieces than
    /// one that sends many.
    async fn give_back(&mut self) -> Result<()> {
        if self.gathered.bytes() == 0 {
            self.room = None;
            return Ok(());
        }
        self.settle().await?;
        let (upload, objects) = (self.upload, &self.uploads.objects);
        let (name, mut bytes, mut pieces) =
            (Checkpoint::random().to_string(), self.gathered.bytes(), Vec::new());
        let joined = self.state.pieces.pop_if(|last| last.fresh && last.bytes + bytes <= LITTLE);
        if let Some(last) = &joined {
            pieces.push(objects.range(upload, &last.name, last.from, last.bytes).await?);
            bytes += last.bytes;
        }
        pieces.extend(self.gathered.take());
        objects.put(upload, &name, Bytes::new(), pieces).await?;
        self.state.pieces.push(Piece { name, from: 0, bytes, fresh: true });
        (self.room, self.slow) = (None, true);
        objects.clear(upload, joined.into_iter().map(|piece| piece.name).collect()).await;
        Ok(())
    }

    /// Memory for a whole part.
    async fn large_room(&mut self) -> Result<Room> {
        match self.room.take() {
            Some(room) if room.is_of(&self.uploads.large) => Ok(room),
            // A little is still held while it waits.
            _little => self.uploads.large.take(self.part_bytes).await,
        }
    }

    /// All bytes behind the parts, out of pieces and memory. The memory for them is the caller's.
    async fn all_pieces(&mut self) -> Result<Vec<Bytes>> {
        let mut all = load::pieces(&self.uploads.objects, self.upload, &self.state.pieces).await?;
        all.extend(self.gathered.take());
        Ok(all)
    }

    /// Sends a full part on its way.
    async fn put_part(&mut self) -> Result<()> {
        let room = self.large_room().await?;
        self.settle().await?;
        let payload: PutPayload = self.all_pieces().await?.into_iter().collect();
        let mut multipart = match self.state.multipart.take() {
            Some(multipart) => multipart,
            None => {
                multipart::begin(&self.uploads.objects, self.upload, self.part_bytes, self.staging.known)
                    .await?
            }
        };
        let nth = multipart.parts.len();
        multipart.parts.push(String::new());
        let (fresh, old): (Vec<_>, Vec<_>) = self.state.pieces.drain(..).partition(|piece| piece.fresh);
        self.state.spent.extend(old.into_iter().map(|piece| piece.name));
        self.state.aligned = self.state.hasher.clone();
        self.slow = false;
        let (objects, upload, of) =
            (Arc::clone(&self.uploads.objects), self.upload, multipart.without_parts());
        self.state.multipart = Some(multipart);
        self.flying.spawn(async move {
            let tag = multipart::put_part(&objects, upload, &of, nth, payload).await?;
            drop(room);
            objects.clear(upload, fresh.into_iter().map(|piece| piece.name).collect()).await;
            Ok((nth, tag))
        });
        Ok(())
    }

    fn landed(&mut self, flown: std::result::Result<Flown, JoinError>) -> Result<()> {
        let lost = |e| Error::at("a part of an upload", io::Error::other(e));
        let (nth, tag) = flown.map_err(lost)??;
        if let Some(part) = self.state.multipart.as_mut().and_then(|multipart| multipart.parts.get_mut(nth)) {
            *part = tag;
        }
        Ok(())
    }

    /// Hashes all that was taken.
    async fn settle(&mut self) -> Result<()> {
        self.unhashed = 0;
        let unseen = self.gathered.unseen(true);
        self.hashing.take(unseen).await?;
        self.state.hasher = self.hashing.settle().await?;
        Ok(())
    }

    /// Writes the checkpoint. The size of all that is staged, and what to go on with.
    pub async fn close(mut self) -> Result<(u64, Option<Checkpoint>)> {
        while let Some(flown) = self.flying.join_next().await {
            self.landed(flown)?;
        }
        if self.state.offset == self.staging.offset {
            return Ok((self.state.offset, self.staging.checkpoint));
        }
        self.settle().await?;
        let mut _room = None;
        let own = if self.state.pieces.len() >= PIECES_JOINED {
            _room = Some(self.large_room().await?);
            let all = self.all_pieces().await?;
            let names = self.state.pieces.drain(..).map(|piece| piece.name);
            self.state.spent.extend(names);
            all
        } else {
            self.gathered.take()
        };
        let head = self.state.encode(own.iter().map(|piece| piece.len() as u64).sum())?;
        let checkpoint = Checkpoint::random();
        let (objects, name) = (&self.uploads.objects, checkpoint.to_string());
        let put = objects.put(self.upload, &name, head, own);
        let (put, ()) = futures_util::future::join(put, objects.clear(self.upload, self.replaced)).await;
        put.map(|()| (self.state.offset, Some(checkpoint)))
    }
}

/// Returns when somebody else needs the memory.
async fn wanted(room: Option<&Room>) {
    match room {
        Some(room) => room.wanted().await,
        None => std::future::pending().await,
    }
}
