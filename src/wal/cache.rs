//! What readers keep in memory: unpacked frames of the past, and open files with the places of
//! their frames.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use super::frame::Frame;
use super::segment::Table;

/// The frames used last, newest first.
#[derive(Debug)]
pub(super) struct Frames {
    list: VecDeque<Frame>,
    frames_max: usize,
}

impl Frames {
    pub(super) fn new(frames_max: usize) -> Self {
        Self {
            list: VecDeque::new(),
            frames_max,
        }
    }

    pub(super) fn get(&mut self, offset: u64) -> Option<Frame> {
        let holds = |frame: &Frame| frame.first().0 <= offset && offset < frame.end().0;
        let at = self.list.iter().position(holds)?;
        let frame = self.list.remove(at)?;
        self.list.push_front(frame.clone());
        Some(frame)
    }

    pub(super) fn put(&mut self, frame: Frame) {
        self.list.truncate(self.frames_max.saturating_sub(1));
        self.list.push_front(frame);
    }

    /// Forgets the frames of a segment that is gone, or not what it was.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        self.list.retain(|frame| !range.contains(&frame.first().0));
    }
}

/// A closed segment, open for reading.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) table: Table,
}

/// The closed segments used last, newest first.
#[derive(Debug)]
pub(super) struct Tables {
    list: VecDeque<Arc<Opened>>,
    open_max: usize,
}

impl Tables {
    pub(super) fn new(open_max: usize) -> Self {
        Self {
            list: VecDeque::new(),
            open_max,
        }
    }

    pub(super) fn get(&mut self, first: u64) -> Option<Arc<Opened>> {
        let at = self
            .list
            .iter()
            .position(|opened| opened.table.first == first)?;
        let opened = self.list.remove(at)?;
        self.list.push_front(opened.clone());
        Some(opened)
    }

    pub(super) fn put(&mut self, opened: Arc<Opened>) {
        self.list.truncate(self.open_max.saturating_sub(1));
        self.list.push_front(opened);
    }

    /// Forgets a segment that is gone, or not what it was.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        self.list
            .retain(|opened| !range.contains(&opened.table.first));
    }
}
