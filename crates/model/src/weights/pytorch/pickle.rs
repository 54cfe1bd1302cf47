//! One pickle, by candle's machine, kept from what only a crafted or damaged file asks of it.
//!
//! The machine believes the length of a text before it reads it, shifts integers of more than eight bytes out of their type,
//! copies whatever it remembers or recalls (so that thirty opcodes make a billion objects), and nests objects until dropping them
//! overflows the stack. So it is led opcode by opcode, beside a stack of weights that follows its own.

use super::super::decode::{Outcome, first_line};
use candle_core::pickle::{Object, Stack};
use std::collections::HashMap;
use std::io::Cursor;

/// Memory that the objects of one pickle may take, copies included, in bytes. A state dict takes some 5 kB a tensor.
const MOST_HELD: usize = 1 << 27;
/// How deep objects may lie in each other: a pickled module of modules has some 5 levels for each of its own.
const DEEPEST: usize = 128;
/// The longest integer that the machine reads correctly, in bytes.
const LONGEST_INTEGER: usize = 8;

/// Opcodes: <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.
mod op {
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const BINGET: u8 = b'h';
    pub(super) const LONG_BINGET: u8 = b'j';
    pub(super) const BINPUT: u8 = b'q';
    pub(super) const LONG_BINPUT: u8 = b'r';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const SETITEM: u8 = b's';
    pub(super) const SETITEMS: u8 = b'u';
}

/// The object of the pickle at the cursor, which stands behind it then.
pub(super) fn unpickle(rest: &mut Cursor<&[u8]>) -> Outcome<Object> {
    let mut stack = Stack::empty();
    let mut weights = Weights::default();
    loop {
        let start = rest.position() as usize;
        let bytes = rest.get_ref().get(start..).unwrap_or_default();
        let Some((&opcode, argument)) = bytes.split_first() else {
            return Err("the pickle is cut short".to_owned());
        };
        weights.allow(opcode, argument)?;
        let done = if opcode == op::LONG1 {
            let digits = long_digits(argument)?;
            rest.set_position((start + 2 + digits.len()) as u64);
            let low = &digits[..digits.len().min(LONGEST_INTEGER)];
            stack.read(&mut [&[op::LONG1, low.len() as u8], low].concat().as_slice())
        } else {
            stack.read(rest)
        };
        if done.map_err(first_line)? {
            return stack.finalize().map_err(first_line);
        }
        weights.observe(opcode, argument, stack.stack().len(), rest.position() as usize - start)?;
    }
}

/// The bytes of an integer, of which the machine gets the lowest eight: a seed of 64 bits has nine, and nothing that describes a
/// tensor has.
fn long_digits(argument: &[u8]) -> Outcome<&[u8]> {
    let digits = argument.split_first().and_then(|(&length, digits)| digits.get(..usize::from(length)));
    digits.ok_or_else(|| "an integer ends beyond the pickle: the file is cut short".to_owned())
}

/// What an object weighs.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    depth: usize,
    bytes: usize,
}

/// The machine's stack and memory, in weights; they are never below the true ones.
#[derive(Debug, Default)]
struct Weights {
    stack: Vec<Weight>,
    memory: HashMap<u32, Weight>,
    held: usize,
}

impl Weights {
    /// What can be refused before the machine reads an opcode.
    fn allow(&mut self, opcode: u8, argument: &[u8]) -> Outcome<()> {
        match opcode {
            op::BINUNICODE => {
                let fits = number(argument).is_none_or(|length| length as usize <= argument.len() - 4);
                if fits { Ok(()) } else { Err("a text ends beyond the pickle: the file is cut short".to_owned()) }
            }
            op::BINGET | op::LONG_BINGET => self.hold(self.recalled(opcode, argument).bytes),
            op::BINPUT | op::LONG_BINPUT => self.hold(self.stack.last().copied().unwrap_or_default().bytes),
            _ => Ok(()),
        }
    }

    /// Takes note of an opcode of `length` bytes, after which the machine's stack is `height` high.
    fn observe(&mut self, opcode: u8, argument: &[u8], height: usize, length: usize) -> Outcome<()> {
        let merged = match opcode {
            op::PROTO => return Ok(()),
            op::BINPUT | op::LONG_BINPUT => {
                let top = self.stack.last().copied().unwrap_or_default();
                self.memory.insert(slot(opcode, argument), top);
                return Ok(());
            }
            op::APPEND | op::APPENDS | op::SETITEM | op::SETITEMS => {
                let parts = joined(self.stack.drain(height.min(self.stack.len())..));
                let container = self.stack.pop().unwrap_or_default();
                Weight { depth: container.depth.max(parts.depth + 1), bytes: container.bytes.saturating_add(parts.bytes) }
            }
            op::BINGET | op::LONG_BINGET => self.recalled(opcode, argument),
            _ => {
                // Something new on top, around what lay there where it lies no more.
                let parts = joined(self.stack.drain(height.saturating_sub(1).min(self.stack.len())..));
                let own = size_of::<Object>() + length;
                self.hold(own)?;
                Weight { depth: parts.depth + 1, bytes: parts.bytes.saturating_add(own) }
            }
        };
        if merged.depth > DEEPEST {
            return Err(format!("objects lie in each other more than {DEEPEST} deep"));
        }
        self.stack.push(merged);
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Outcome<()> {
        self.held = self.held.saturating_add(bytes);
        if self.held > MOST_HELD { Err(format!("a pickle whose objects take more than {MOST_HELD} bytes")) } else { Ok(()) }
    }

    fn recalled(&self, opcode: u8, argument: &[u8]) -> Weight {
        self.memory.get(&slot(opcode, argument)).copied().unwrap_or_default()
    }
}

fn joined(parts: impl Iterator<Item = Weight>) -> Weight {
    let join = |a: Weight, b: Weight| Weight { depth: a.depth.max(b.depth), bytes: a.bytes.saturating_add(b.bytes) };
    parts.fold(Weight::default(), join)
}

/// The memo slot of an opcode. One that is cut short is the machine's to refuse.
fn slot(opcode: u8, argument: &[u8]) -> u32 {
    let short = matches!(opcode, op::BINGET | op::BINPUT);
    if short { argument.first().copied().map_or(0, u32::from) } else { number(argument).unwrap_or(0) }
}

fn number(argument: &[u8]) -> Option<u32> {
    argument.first_chunk().map(|&four| u32::from_le_bytes(four))
}
