//! Characters of a text -> bytes of its file.

/// Turns the parser's counts of characters into bytes of the file.
pub(super) struct Offsets {
    /// Byte of each character; empty if all characters are one byte.
    bytes: Vec<u32>,
    len: u32,
    skipped: u32,
}

impl Offsets {
    pub fn new(text: &str, skipped: u32) -> Self {
        let bytes = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices()
                .filter_map(|(at, _)| u32::try_from(at).ok())
                .collect()
        };
        Self {
            bytes,
            len: u32::try_from(text.len()).unwrap_or(u32::MAX),
            skipped,
        }
    }

    /// The byte of the file of so many characters of the text.
    pub fn in_file(&self, characters: usize) -> u32 {
        let byte = if self.bytes.is_empty() {
            u32::try_from(characters).unwrap_or(u32::MAX)
        } else {
            self.bytes.get(characters).copied().unwrap_or(self.len)
        };
        byte.min(self.len) + self.skipped
    }

    /// The byte of the text of a byte of the file.
    pub fn in_text(&self, in_file: u32) -> usize {
        (in_file - self.skipped) as usize
    }
}
