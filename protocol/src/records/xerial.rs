//! Snappy as Kafka's clients send it: the framing of xerial's snappy-java (16 bytes of header, then blocks with a
//! 4-byte length each) by Java, librdkafka and Go; raw blocks by a few others. Read both, write the framing, which is
//! the only one that Java reads.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::codecs::{CompressionType, failed};
use super::error::BatchError;

/// Magic, then version and oldest compatible version, both 1.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
const MAGIC_BYTES: usize = 8;
/// snappy-java's block size.
const BLOCK_BYTES: usize = 32 * 1024;
/// No element of a block unfolds to more than this many times its size (a 3-byte copy of 64 bytes).
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(body: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut output = Vec::with_capacity(HEADER.len() + body.len() / 2);
    output.extend_from_slice(&HEADER);
    for block in body.chunks(BLOCK_BYTES) {
        let start = output.len();
        output.resize(start + 4 + max_compress_len(block.len()), 0);
        let size = encoder.compress(block, &mut output[start + 4..]).expect("the buffer has the size snappy asks for");
        output[start..start + 4].copy_from_slice(&(size as u32).to_be_bytes());
        output.truncate(start + 4 + size);
    }
    output
}

pub(super) fn decompress(input: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    let mut output = Vec::new();
    if !input.starts_with(&HEADER[..MAGIC_BYTES]) {
        unfold_block(input, &mut output, bytes_max)?;
        return Ok(output);
    }
    let mut rest = input;
    while !rest.is_empty() {
        rest = if rest.starts_with(&HEADER[..MAGIC_BYTES]) {
            // The first header, or that of a stream that was appended to another.
            rest.get(HEADER.len()..).ok_or_else(|| cut("header"))?
        } else {
            unfold_framed(rest, &mut output, bytes_max)?
        };
    }
    Ok(output)
}

/// Takes one block with its length off the front and returns what follows.
fn unfold_framed<'a>(input: &'a [u8], output: &mut Vec<u8>, bytes_max: usize) -> Result<&'a [u8], BatchError> {
    let (length, rest) = input.split_first_chunk::<4>().ok_or_else(|| cut("block length"))?;
    let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(|| cut("block"))?;
    unfold_block(block, output, bytes_max)?;
    Ok(rest)
}

fn unfold_block(block: &[u8], output: &mut Vec<u8>, bytes_max: usize) -> Result<(), BatchError> {
    let claimed = decompress_len(block).map_err(|error| failed(CompressionType::Snappy, error))?;
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(failed(CompressionType::Snappy, "a block claims more than its bytes can hold"));
    }
    let start = output.len();
    if claimed > bytes_max - start {
        return Err(BatchError::DecompressedTooLarge { bytes_max });
    }
    output.resize(start + claimed, 0);
    let written = Decoder::new()
        .decompress(block, &mut output[start..])
        .map_err(|error| failed(CompressionType::Snappy, error))?;
    output.truncate(start + written);
    Ok(())
}

fn cut(what: &str) -> BatchError {
    failed(CompressionType::Snappy, format_args!("the {what} is cut"))
}
