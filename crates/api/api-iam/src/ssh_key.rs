//! Public keys of SSH: read from what OpenSSH or OpenSSL writes, and written as either.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use x509_cert::der::asn1::{AnyRef, BitString, Null, UintRef};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, DecodePem, Encode, EncodePem, Header, Reader, SliceReader, Tag};
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};

/// The only kind of key that IAM takes.
const KIND: &str = "ssh-rsa";
/// `rsaEncryption`
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Bits that a key has at least and at most.
const BITS: std::ops::RangeInclusive<usize> = 2_048..=16_384;

/// A public key for RSA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshKey {
    /// The exponent and the modulus, the highest byte first, without zeroes before it.
    exponent: Vec<u8>,
    modulus: Vec<u8>,
}

impl SshKey {
    /// Reads `ssh-rsa AAAA... comment` or a public key in PEM.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let key = if text.starts_with("-----BEGIN") { Self::from_pem(text)? } else { Self::from_line(text)? };
        let bits = key.modulus.len() * 8 - key.modulus.first()?.leading_zeros() as usize;
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        (BITS.contains(&bits) && odd(&key.modulus) && odd(&key.exponent) && key.exponent.len() <= 8)
            .then_some(key)
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let blob = (words.next()? == KIND).then(|| words.next())??;
        let blob = STANDARD.decode(blob).ok()?;
        let (kind, rest) = take(&blob)?;
        let (exponent, rest) = take(rest)?;
        let (modulus, rest) = take(rest)?;
        let key = Self { exponent: natural(exponent)?, modulus: natural(modulus)? };
        // Written in any other way it would be another key with another fingerprint.
        (kind == KIND.as_bytes() && rest.is_empty() && key.blob() == blob).then_some(key)
    }

    fn from_pem(text: &str) -> Option<Self> {
        let info = SubjectPublicKeyInfoOwned::from_pem(text).ok()?;
        if info.algorithm.oid != RSA {
            return None;
        }
        let bytes = info.subject_public_key.as_bytes()?;
        let mut reader = SliceReader::new(bytes).ok()?;
        let key = reader.sequence(|reader| {
            let modulus = UintRef::decode(reader)?;
            let exponent = UintRef::decode(reader)?;
            Ok(Self { exponent: exponent.as_bytes().to_vec(), modulus: modulus.as_bytes().to_vec() })
        });
        key.ok().filter(|_| reader.is_finished())
    }

    /// The key as SSH sends it.
    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        put(&mut blob, KIND.as_bytes());
        for number in [&self.exponent, &self.modulus] {
            // Numbers have a sign: a byte of zero keeps them positive.
            let sign = number.first().is_some_and(|first| first & 0x80 != 0);
            put(&mut blob, &[vec![0; usize::from(sign)], number.clone()].concat());
        }
        blob
    }

    /// `ssh-rsa AAAA...`
    pub(crate) fn line(&self) -> String {
        format!("{KIND} {}", STANDARD.encode(self.blob()))
    }

    /// The key in PEM; `None` never happens for a key that was read.
    pub(crate) fn pem(&self) -> Option<String> {
        let modulus = UintRef::new(&self.modulus).and_then(|number| number.to_der()).ok()?;
        let exponent = UintRef::new(&self.exponent).and_then(|number| number.to_der()).ok()?;
        let body = [modulus, exponent].concat();
        let mut bytes = Header::new(Tag::Sequence, body.len()).and_then(|header| header.to_der()).ok()?;
        bytes.extend_from_slice(&body);
        let parameters = Some(AnyRef::from(Null).into());
        let info = SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid: RSA, parameters },
            subject_public_key: BitString::from_bytes(&bytes).ok()?,
        };
        info.to_pem(LineEnding::LF).ok()
    }

    /// The MD5 of the key as SSH shows it, `ab:cd:...`.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = Md5::digest(self.blob());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
    }
}

/// A text of SSH: its length in four bytes, and so many bytes.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn put(blob: &mut Vec<u8>, text: &[u8]) {
    // Keys are bounded far below what four bytes can say.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    blob.extend_from_slice(&length.to_be_bytes());
    blob.extend_from_slice(text);
}

/// A number without its sign, if it is positive.
fn natural(number: &[u8]) -> Option<Vec<u8>> {
    let number = match number {
        [0, rest @ ..] => rest,
        [first, ..] if first & 0x80 != 0 => return None,
        other => other,
    };
    (!number.is_empty() && number[0] != 0).then(|| number.to_vec())
}
