//! What has come from a peer, and was not taken yet.

use std::io::{self, Read};

/// Bytes, behind which room is kept for more: each read gets as much as there is.
#[derive(Debug, Default)]
pub(crate) struct Input {
    room: Vec<u8>,
    /// What was taken ends here, and what has come there.
    taken: usize,
    come: usize,
}

/// The least room that a read gets.
const ROOM: usize = 8 << 10;
/// A larger room, which a long message needed, is given back.
const KEPT: usize = 64 << 10;

impl Input {
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.come
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[self.taken..self.come]
    }

    /// So many bytes need not be kept any more.
    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
        debug_assert!(self.taken <= self.come);
        if self.is_empty() {
            (self.taken, self.come) = (0, 0);
            if self.room.len() > KEPT {
                self.room = Vec::new();
            }
        }
    }

    /// Makes one read. 0: no more will come.
    pub(crate) fn read_from(&mut self, mut stream: impl Read) -> io::Result<usize> {
        self.make_room();
        let count = stream.read(&mut self.room[self.come..])?;
        self.come += count;
        Ok(count)
    }

    fn make_room(&mut self) {
        if self.room.len() - self.come >= ROOM {
            return;
        }
        self.room.copy_within(self.taken..self.come, 0);
        (self.taken, self.come) = (0, self.come - self.taken);
        if self.room.len() - self.come < ROOM {
            let larger = (2 * self.room.len()).max(self.come + ROOM);
            self.room.resize(larger, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_stays_in_its_order() {
        let sent: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        for piece in [1, 1000, 7000, 20_000] {
            let (mut input, mut stream, mut taken) = (Input::default(), &sent[..], Vec::new());
            while input.read_from(&mut stream).unwrap() != 0 {
                while input.bytes().len() >= piece {
                    taken.extend_from_slice(&input.bytes()[..piece]);
                    input.take(piece);
                }
            }
            taken.extend_from_slice(input.bytes());
            assert!(taken == sent, "{piece}");
        }
    }

    #[test]
    fn a_large_room_is_given_back() {
        let mut input = Input::default();
        while input.bytes().len() <= KEPT {
            input.read_from(&[0; 1 << 20][..]).unwrap();
        }
        input.take(input.bytes().len());
        assert!(input.is_empty());
        assert_eq!(input.room.len(), 0);
    }
}
