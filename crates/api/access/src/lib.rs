//! Who calls and may they: credentials from the store
