//! Who is who on the wire: a certificate authority for the consortium, and a certificate for each party.
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

/// Name of the file with the authority's certificate, in every node's folder.
pub const AUTHORITY_NAME: &str = "consortium.pem";
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

/// The three parties' certificates, by an authority whose key is forgotten: for demonstrations and tests, where one
/// person makes all of them. It cannot sign a fourth.
pub struct Certificates {
    authority_pem: String,
    nodes: Vec<(Party, String, String)>,
}

impl Certificates {
    /// Makes an authority and a certificate for each party of the network of `origin`.
    ///
    /// # Errors
    /// [`CertificateError::Make`].
    pub fn make(origin: &str) -> Result<Self, CertificateError> {
        let authority_key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, format!("{origin} consortium"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut nodes = Vec::new();
        for party in Party::ALL {
            let key = KeyPair::generate_for(&PKCS_ED25519)?;
            let mut node = CertificateParams::new(vec![name_of(origin, party)])?;
            node.distinguished_name.push(DnType::CommonName, format!("{origin} {party}"));
            node.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            node.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let certificate = node.signed_by(&key, &issuer)?;
            nodes.push((party, certificate.pem(), key.serialize_pem()));
        }
        Ok(Self { authority_pem, nodes })
    }

    /// Writes what the node of `party` needs into its folder: authority, certificate, key. Nothing is overwritten.
    ///
    /// # Errors
    /// [`CertificateError::Folder`].
    pub fn write(&self, party: Party, folder: &Path) -> Result<(), CertificateError> {
        let (_, certificate, key) =
            self.nodes.iter().find(|(known, ..)| *known == party).expect("each party has a certificate");
        let disk = |error: durable::DurableError| CertificateError::Folder(error.into());
        durable::write_durably(&folder.join(AUTHORITY_NAME), self.authority_pem.as_bytes()).map_err(disk)?;
        durable::write_durably(&folder.join(CERTIFICATE_NAME), certificate.as_bytes()).map_err(disk)?;
        Ok(write_secret(&folder.join(KEY_NAME), key)?)
    }
}
