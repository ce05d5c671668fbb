//! The sequences and items that are open at a place in a file, as the library's parser takes them.

/// A sequence or an item.
struct Level {
    is_sequence: bool,
    /// Where it ends in the file; none where its end is marked.
    end: Option<u64>,
    /// Whether it holds compressed pixels, in fragments.
    holds_pixels: bool,
}

/// What is open.
#[derive(Default)]
pub struct Nesting {
    levels: Vec<Level>,
    expects_item: bool,
}

/// What stands next in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An element of the data set itself.
    Root,
    /// An element of an item.
    Inner,
    /// The head of an item, or the mark at the end of one or of a sequence.
    Item,
    /// Compressed pixels, up to this place.
    Fragment(u64),
}

impl Nesting {
    /// Closes what ends at `at`, and tells what comes next; none where the parser gives up.
    pub fn next(&mut self, at: u64) -> Option<Next> {
        while let Some(&Level { is_sequence, end: Some(end), .. }) = self.levels.last() {
            if end > at {
                break;
            } else if end < at {
                return None;
            }
            self.levels.pop();
            self.expects_item = !is_sequence;
        }
        match self.levels.last() {
            _ if self.expects_item => Some(Next::Item),
            None => Some(Next::Root),
            Some(Level { is_sequence: false, holds_pixels: true, end, .. }) => end.map(Next::Fragment),
            Some(_) => Some(Next::Inner),
        }
    }

    /// Opens a sequence.
    pub fn open_sequence(&mut self, end: Option<u64>, holds_pixels: bool) {
        self.levels.push(Level { is_sequence: true, end, holds_pixels });
        self.expects_item = true;
    }

    /// Opens an item.
    pub fn open_item(&mut self, end: Option<u64>) {
        let holds_pixels = self.levels.last().is_some_and(|level| level.holds_pixels);
        self.levels.push(Level { is_sequence: false, end, holds_pixels });
        self.expects_item = false;
    }

    /// Closes what is open at the mark of an item's end.
    pub fn close_item(&mut self) {
        self.expects_item = self.levels.pop().is_some();
    }

    /// Closes what is open at the mark of a sequence's end.
    pub fn close_sequence(&mut self) {
        self.levels.pop();
        self.expects_item = false;
    }
}
