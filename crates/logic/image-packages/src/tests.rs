//! Every format, images of several layers, limits, and that no damage to any input does harm.

mod damage;
mod files;
mod images;

use crate::{FileFormat, Package, parse_file};
use std::io::{Read, Write};

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut content).expect("is gzip");
    content
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("writes");
    encoder.finish().expect("finishes")
}

/// `name version` of packages.
fn names(packages: &[Package]) -> Vec<String> {
    packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

fn parsed(format: FileFormat, content: &[u8]) -> Vec<String> {
    names(&parse_file(format, "lib-1.0.jar", content))
}

/// A layer of files; a name that ends in `/` is a directory, one that holds ` -> ` a hard link.
fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        if let Some((name, target)) = name.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            builder.append_link(&mut header, name, target).expect("appends");
            continue;
        }
        header.set_entry_type(if name.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).expect("appends");
    }
    builder.into_inner().expect("finishes")
}

/// An archive of entries, deflated with the sizes after them as `jar` does it, or stored.
fn archive(entries: &[(&str, &[u8])], stored: bool) -> Vec<u8> {
    let mut zip = Vec::new();
    for (name, content) in entries {
        let compressed = if stored {
            content.to_vec()
        } else {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(content).expect("writes");
            encoder.finish().expect("finishes")
        };
        let (flags, method): (u16, u16) = if stored { (0, 0) } else { (8, 8) };
        zip.extend_from_slice(b"PK\x03\x04\x14\x00");
        zip.extend_from_slice(&flags.to_le_bytes());
        zip.extend_from_slice(&method.to_le_bytes());
        zip.extend_from_slice(&[0; 8]);
        let size = compressed.len() as u32;
        let sizes = if stored { [size, size] } else { [0, 0] };
        for size in sizes {
            zip.extend_from_slice(&size.to_le_bytes());
        }
        zip.extend_from_slice(&(name.len() as u16).to_le_bytes());
        zip.extend_from_slice(&[0; 2]);
        zip.extend_from_slice(name.as_bytes());
        zip.extend_from_slice(&compressed);
        if !stored {
            zip.extend_from_slice(b"PK\x07\x08\0\0\0\0");
            zip.extend_from_slice(&size.to_le_bytes());
            zip.extend_from_slice(&(content.len() as u32).to_le_bytes());
        }
    }
    zip.extend_from_slice(b"PK\x01\x02");
    zip
}

/// What a Go binary of version 1.22 holds.
fn go_binary() -> Vec<u8> {
    let modules = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgolang.org/x/net\tv0.7.0\th1:x=\n\
                   dep\tgithub.com/old/name\tv1.0.0\n=>\tgithub.com/new/name\tv1.2.0\th1:y=\nbuild\t-compiler=gc\n";
    let mut binary = b"\x7fELF\x02\x01\x01 some code ".to_vec();
    binary.resize(64, 0);
    binary.extend_from_slice(b"\xff Go buildinf:\x08\x02");
    binary.resize(64 + 32, 0);
    binary.extend_from_slice(b"\x08go1.22.1\x80\x02");
    binary.extend_from_slice(b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6");
    binary.extend_from_slice(modules.as_bytes());
    binary.extend_from_slice(b"\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2");
    binary
}

/// A smallest ELF file with a section `.dep-v0`.
fn auditable_binary() -> Vec<u8> {
    let json = br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true},
        {"name":"time","version":"0.1.44","source":"crates.io"},
        {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}"#;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(json).expect("writes");
    let data = encoder.finish().expect("finishes");
    let names = b"\0.dep-v0\0.shstrtab\0";
    let names_at = 64 + data.len();
    let sections_at = (names_at + names.len()).next_multiple_of(8);
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend_from_slice(&2_u16.to_le_bytes());
    elf.extend_from_slice(&62_u16.to_le_bytes());
    elf.extend_from_slice(&1_u32.to_le_bytes());
    elf.extend_from_slice(&[0; 16]);
    elf.extend_from_slice(&(sections_at as u64).to_le_bytes());
    elf.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 0, 64, 3, 2] {
        elf.extend_from_slice(&half.to_le_bytes());
    }
    elf.extend_from_slice(&data);
    elf.extend_from_slice(names);
    elf.resize(sections_at, 0);
    elf.extend_from_slice(&[0; 64]);
    for (name, kind, at, size) in [(1_u32, 1_u32, 64, data.len()), (9, 3, names_at, names.len())] {
        elf.extend_from_slice(&name.to_le_bytes());
        elf.extend_from_slice(&kind.to_le_bytes());
        elf.extend_from_slice(&[0; 16]);
        elf.extend_from_slice(&(at as u64).to_le_bytes());
        elf.extend_from_slice(&(size as u64).to_le_bytes());
        elf.extend_from_slice(&[0; 24]);
    }
    elf
}
