//! The two ends of a connection, and the one question each asks the other's certificate: which party is it?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tallywatt_core::agreement::Party;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::peers::certificates::{self, AUTHORITY_NAME, CERTIFICATE_NAME, KEY_NAME};

/// What both ends say they speak.
const PROTOCOL: &[u8] = b"tallywatt/1";

/// Why a node has no identity to connect with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as what it should be.
    #[error("cannot read {}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The parts do not fit each other.
    #[error("cannot use the certificates in {}: {problem}", folder.display())]
    Unfit {
        /// Where they lie.
        folder: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The certificate is another's.
    #[error("the certificate {} does not name {want}", path.display())]
    Name {
        /// Which.
        path: PathBuf,
        /// The name it should hold.
        want: String,
    },
}

/// A node's own certificate and the authority it trusts, ready for both ends.
#[derive(Clone)]
pub struct Identity {
    party: Party,
    origin: String,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Identity {
    /// Reads the certificates in a node's folder: TLS 1.3 only, both ends must show one of the consortium's.
    ///
    /// # Errors
    /// [`TlsError`], also if the certificate is not that of `party`.
    pub fn read(folder: &Path, origin: &str, party: Party) -> Result<Self, TlsError> {
        let authority = certificates_in(&folder.join(AUTHORITY_NAME))?;
        let path = folder.join(CERTIFICATE_NAME);
        let chain = certificates_in(&path)?;
        let key_path = folder.join(KEY_NAME);
        let key = PrivateKeyDer::from_pem_file(&key_path)
            .map_err(|error| TlsError::File { path: key_path, problem: error.to_string() })?;
        let unfit = |error: &dyn std::fmt::Display| TlsError::Unfit {
            folder: folder.to_owned(),
            problem: error.to_string(),
        };
        if party_of(&chain, origin) != Some(party) {
            return Err(TlsError::Name { path, want: certificates::name_of(origin, party) });
        }
        let mut roots = RootCertStore::empty();
        for certificate in authority {
            roots.add(certificate).map_err(|error| unfit(&error))?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let verifier = verifier.build().map_err(|error| unfit(&error))?;
        let versions = [&rustls::version::TLS13];
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| unfit(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unfit(&error))?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| unfit(&error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| unfit(&error))?;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self {
            party,
            origin: origin.to_owned(),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        })
    }

    /// Whose it is.
    #[must_use]
    pub const fn party(&self) -> Party {
        self.party
    }

    /// The end that is dialled.
    #[must_use]
    pub const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// The end that dials.
    #[must_use]
    pub const fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// The name that a peer's certificate must hold.
    #[must_use]
    pub fn name_of(&self, peer: Party) -> ServerName<'static> {
        let name = certificates::name_of(&self.origin, peer);
        ServerName::try_from(name).expect("hex digits, a party and fixed words are a DNS name")
    }

    /// Which party a peer's certificates name, if any of this network.
    #[must_use]
    pub fn party_of(&self, chain: &[CertificateDer<'_>]) -> Option<Party> {
        party_of(chain, &self.origin)
    }
}

fn party_of(chain: &[CertificateDer<'_>], origin: &str) -> Option<Party> {
    let certificate = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
    let holds = |party: &Party| {
        let name = ServerName::try_from(certificates::name_of(origin, *party));
        name.is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let mut named = Party::ALL.into_iter().filter(holds);
    // One that names two parties could be either: it is nobody's.
    named.next().filter(|_| named.next().is_none())
}

fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |problem: String| TlsError::File { path: path.to_owned(), problem };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| fail(error.to_string()))?;
    if found.is_empty() { Err(fail("no certificate in it".into())) } else { Ok(found) }
}
