//! Who is who on the wire: each party has an authority of its own, which vouches for that party alone, and a certificate by it.
//!
//! ```text
//!   <node>/authority-grid.pem  authority-bank.pem  authority-supplier.pem    whom this node believes about each party
//!          node.pem  node.key                                                its own certificate, by its own authority
//! ```
//!
//! A certificate names its party and the network by one DNS name, `<party>.<network>.tallywatt.internal`, where the
//! network is the head of the hash of the origin: a certificate of one consortium is none in another.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rcgen::{KeyUsagePurpose, PKCS_ED25519};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::digest;

use crate::node_folder::{FolderError, write_secret};
use tallywatt_shards::durable;

/// Name of the file with a node's certificate.
pub const CERTIFICATE_NAME: &str = "node.pem";
/// Name of the file with its private key.
pub const KEY_NAME: &str = "node.key";

/// Why certificates cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The library refused.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// The DNS name that the certificate of `party` holds in the network of `origin`.
#[must_use]
pub fn name_of(origin: &str, party: Party) -> String {
    let network = digest::content_hash(origin.as_bytes()).to_string();
    format!("{party}.{}.tallywatt.internal", &network[..16])
}

/// Name of the file, in every node's folder, with the certificate of the authority that vouches for `party`.
#[must_use]
pub fn authority_name(party: Party) -> String {
    format!("authority-{party}.pem")
}

/// A party's authority and its certificate. The authority's key signs this one certificate and is forgotten: it can be made
/// to vouch for nothing else. A certificate that is to be another needs another authority, which the peers must be shown.
pub struct Certificate {
    authority_pem: String,
    node_pem: String,
    key_pem: String,
}

impl Certificate {
    /// Makes an authority and a certificate for `party` of the network of `origin`.
    ///
    /// # Errors
    /// [`CertificateError::Make`].
    pub fn make(origin: &str, party: Party) -> Result<Self, CertificateError> {
        let authority_key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, format!("{origin} {party} authority"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut node = CertificateParams::new(vec![name_of(origin, party)])?;
        node.distinguished_name.push(DnType::CommonName, format!("{origin} {party}"));
        node.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        node.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let node_pem = node.signed_by(&key, &issuer)?.pem();
        Ok(Self { authority_pem, node_pem, key_pem: key.serialize_pem() })
    }

    /// The authority's certificate: public, for every party.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// Writes certificate and key into the folder of the party's node. A key that is there is not overwritten.
    ///
    /// # Errors
    /// [`CertificateError::Folder`].
    pub fn write(&self, folder: &Path) -> Result<(), CertificateError> {
        let written = durable::write_durably(&folder.join(CERTIFICATE_NAME), self.node_pem.as_bytes());
        written.map_err(FolderError::from)?;
        Ok(write_secret(&folder.join(KEY_NAME), &self.key_pem)?)
    }
}

/// Has the node of `folder` believe what this authority says of `party`, and of nobody else.
///
/// # Errors
/// [`CertificateError::Folder`].
pub fn write_authority(folder: &Path, party: Party, authority_pem: &str) -> Result<(), CertificateError> {
    let written = durable::write_durably(&folder.join(authority_name(party)), authority_pem.as_bytes());
    Ok(written.map_err(FolderError::from)?)
}
