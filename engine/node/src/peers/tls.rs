//! The two ends of a connection, and the one question each asks the other's certificate: which party is it?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tallywatt_core::agreement::Party;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::peers::certificates::{self, CERTIFICATE_NAME, KEY_NAME};

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

/// A node's own certificate and the authorities it believes, ready for both ends.
#[derive(Clone)]
pub struct Identity {
    party: Party,
    origin: String,
    acceptor: TlsAcceptor,
    peers: BTreeMap<Party, Peer>,
}

/// How one peer is recognised: by its own authority alone, at either end.
#[derive(Clone)]
struct Peer {
    connector: TlsConnector,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Identity {
    /// Reads the certificates in a node's folder: TLS 1.3 only, both ends must show one.
    ///
    /// # Errors
    /// [`TlsError`], also if the certificate is not that of `party`.
    pub fn read(folder: &Path, origin: &str, party: Party) -> Result<Self, TlsError> {
        let path = folder.join(CERTIFICATE_NAME);
        let chain = certificates_in(&path)?;
        let key_path = folder.join(KEY_NAME);
        let key = PrivateKeyDer::from_pem_file(&key_path)
            .map_err(|error| TlsError::File { path: key_path, problem: error.to_string() })?;
        let unfit = |error: &dyn std::fmt::Display| TlsError::Unfit {
            folder: folder.to_owned(),
            problem: error.to_string(),
        };
        if named_by(&chain, origin) != Some(party) {
            return Err(TlsError::Name { path, want: certificates::name_of(origin, party) });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = [&rustls::version::TLS13];
        let verifier_of = |roots: RootCertStore| {
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()
        };
        let (mut peers, mut all) = (BTreeMap::new(), RootCertStore::empty());
        for peer in Party::ALL.into_iter().filter(|peer| *peer != party) {
            let mut roots = RootCertStore::empty();
            for certificate in certificates_in(&folder.join(certificates::authority_name(peer)))? {
                roots.add(certificate.clone()).map_err(|error| unfit(&error))?;
                all.add(certificate).map_err(|error| unfit(&error))?;
            }
            let verifier = verifier_of(roots.clone()).map_err(|error| unfit(&error))?;
            let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&versions)
                .map_err(|error| unfit(&error))?
                .with_root_certificates(roots)
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| unfit(&error))?;
            client.alpn_protocols = vec![PROTOCOL.to_vec()];
            peers.insert(peer, Peer { connector: TlsConnector::from(Arc::new(client)), verifier });
        }
        // Who dials is not known before the handshake: which authority vouches for it is looked at behind it.
        let verifier = verifier_of(all).map_err(|error| unfit(&error))?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| unfit(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| unfit(&error))?;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Ok(Self { party, origin: origin.to_owned(), acceptor, peers })
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

    /// The end that dials a peer; none to itself.
    #[must_use]
    pub fn connector(&self, peer: Party) -> Option<&TlsConnector> {
        self.peers.get(&peer).map(|peer| &peer.connector)
    }

    /// The name that a peer's certificate must hold.
    #[must_use]
    pub fn name_of(&self, peer: Party) -> ServerName<'static> {
        let name = certificates::name_of(&self.origin, peer);
        ServerName::try_from(name).expect("hex digits, a party and fixed words are a DNS name")
    }

    /// Which peer's these certificates are: whom they name, if that party's own authority vouches for it.
    #[must_use]
    pub fn party_of(&self, chain: &[CertificateDer<'_>]) -> Option<Party> {
        let party = named_by(chain, &self.origin)?;
        let verifier = &self.peers.get(&party)?.verifier;
        let (node, rest) = chain.split_first()?;
        verifier.verify_client_cert(node, rest, UnixTime::now()).ok().map(|_| party)
    }
}

fn named_by(chain: &[CertificateDer<'_>], origin: &str) -> Option<Party> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::certificates::{Certificate, write_authority};

    const ORIGIN: &str = "tallywatt.example/tls";

    #[test]
    fn an_authority_vouches_for_its_own_party_only() {
        let folder = tempfile::tempdir().unwrap();
        let [grid, bank, supplier] = Party::ALL.map(|party| Certificate::make(ORIGIN, party).unwrap());
        // Made by somebody else, in the name of the grid company.
        let forged = Certificate::make(ORIGIN, Party::Grid).unwrap();
        supplier.write(folder.path()).unwrap();
        let identity = |of_grid: &Certificate, of_bank: &Certificate| {
            write_authority(folder.path(), Party::Grid, of_grid.authority_pem()).unwrap();
            write_authority(folder.path(), Party::Bank, of_bank.authority_pem()).unwrap();
            Identity::read(folder.path(), ORIGIN, Party::Supplier).unwrap()
        };
        let chain = |certificate: &Certificate| {
            let other = tempfile::tempdir().unwrap();
            certificate.write(other.path()).unwrap();
            certificates_in(&other.path().join(CERTIFICATE_NAME)).unwrap()
        };
        let honest = identity(&grid, &bank);
        assert_eq!(honest.party_of(&chain(&grid)), Some(Party::Grid));
        assert_eq!(honest.party_of(&chain(&bank)), Some(Party::Bank));
        assert_eq!(honest.party_of(&chain(&supplier)), None, "nobody is its own peer");
        assert_eq!(honest.party_of(&chain(&forged)), None, "by an authority that nobody knows");
        // The bank had shown that authority as its own.
        let fooled = identity(&grid, &forged);
        assert_eq!(
            fooled.party_of(&chain(&forged)),
            None,
            "the bank's authority says nothing of the grid company"
        );
        assert_eq!(fooled.party_of(&chain(&grid)), Some(Party::Grid));
    }
}
