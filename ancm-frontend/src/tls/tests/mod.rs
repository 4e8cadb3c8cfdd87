mod pair;

use rcgen::date_time_ymd;
use tokio::sync::Notify;

pub(crate) use self::pair::{Made, Pair};
use super::*;

/// Why this pair cannot be used.
fn refusal(pair: &Pair) -> String {
    Source::open(pair.settings()).unwrap_err().to_string()
}

#[test]
fn explains_what_is_wrong_with_the_files() {
    let made = Made::new("a");
    let (pem, key) = (made.pem(), made.key_pem());
    let pkcs8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let damaged = pem.replace("-----END", "!!!!\n-----END");
    for (file, content, parts) in [
        ("site.pem", "", ["there is no certificate in", "the file is empty"]),
        ("site.pem", "hello", ["there is no certificate in", "-----BEGIN CERTIFICATE-----"]),
        ("site.pem", &key, ["there is no certificate in", "a private key only"]),
        ("site.pem", "0\u{1}\u{1}", ["there is no certificate in", "openssl pkcs12"]),
        ("site.pem", &damaged, ["the certificate in", "cannot be used"]),
        ("site.key", &pem, ["there is no private key in", "certificates only"]),
        ("site.key", pkcs8, ["is encrypted", "openssl pkey -in"]),
        ("site.key", older, ["is encrypted", "openssl pkey -in"]),
        (
            "site.key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            ["private key", "used"],
        ),
        ("site.key", &key, ["does not belong to the first certificate in", "must come first"]),
    ] {
        let pair = Pair::new("a");
        let path = pair.write(file, content);
        let text = refusal(&pair);
        for part in parts.into_iter().chain(path.to_str()) {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_reason() {
    let pair = Pair::new("a");
    let missing = pair.path().join("no.key");
    let error = Source::open(TlsSettings::new(pair.path().join("site.pem"), &missing)).unwrap_err();
    assert!(matches!(&error, TlsError::Read { path, .. } if *path == missing), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn certificate_and_key_may_be_in_one_file() {
    let pair = Pair::new("a");
    let both = pair.write("both.pem", pair.made().pem() + &pair.made().key_pem());
    assert!(Source::open(TlsSettings::new(&both, &both)).is_ok());
}

#[test]
fn authorities_must_be_certificates_and_are_read_only_when_clients_are_asked() {
    let pair = Pair::new("a");
    let settings = pair.settings().client_ca(pair.path().join("site.key"));
    assert!(Source::open(settings.clone()).is_ok());
    let error = Source::open(settings.client_certificates(ClientCertificates::Request)).unwrap_err();
    assert!(error.to_string().starts_with("there is no certificate of an authority in"), "{error}");
}

/// What is said of a certificate with these days.
fn concern(from: (i32, u8, u8), to: (i32, u8, u8)) -> Option<String> {
    let pair = Pair::of(Made::with("a", |params| {
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
    }));
    let provider = ring::default_provider();
    expiry::concern(&pair.settings().certified_key(&provider).unwrap(), &provider)
}

#[test]
fn warns_of_a_certificate_that_clients_refuse_for_its_dates() {
    assert_eq!(concern((2000, 1, 1), (3000, 1, 1)), None);
    let expired = concern((2000, 1, 1), (2001, 2, 3)).unwrap();
    assert!(expired.contains("has expired on 2001-02-03"), "{expired}");
    let early = concern((2999, 1, 1), (3000, 1, 1)).unwrap();
    assert!(early.contains("from 2999-01-01 only"), "{early}");
    let now = time::OffsetDateTime::now_utc() + time::Duration::days(3);
    let soon = concern((2000, 1, 1), (now.year(), now.month().into(), now.day())).unwrap();
    assert!(soon.contains("renew it"), "{soon}");
}

#[test]
fn an_expired_certificate_is_served_all_the_same() {
    let made = Made::with("a", |params| params.not_after = date_time_ymd(2001, 1, 1));
    assert!(Source::open(Pair::of(made).settings()).is_ok());
}

/// A source that is followed, and what a worker sees of it.
struct Followed {
    pair: Pair,
    certificates: Certificates,
    asked: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Followed {
    fn new() -> Self {
        let pair = Pair::new("a");
        let (source, certificates) = Source::open(pair.settings()).unwrap();
        let asked = Arc::new(Notify::new());
        let task = tokio::spawn(source.follow(Arc::clone(&asked)));
        Self { pair, certificates, asked, task }
    }

    /// Waits until what is used has changed; with paused time, until then or for ever.
    async fn changed(&mut self) {
        let before = self.certificates.current();
        self.certificates.changes.clone().changed().await.unwrap();
        assert!(!Arc::ptr_eq(&before, &self.certificates.current()));
    }

    /// Waits for much longer than a change takes to be noticed.
    async fn nothing_changes(&mut self) {
        let before = self.certificates.current();
        let changed = self.changed();
        assert!(tokio::time::timeout(std::time::Duration::from_secs(60), changed).await.is_err());
        assert!(Arc::ptr_eq(&before, &self.certificates.current()));
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_is_used_without_being_asked() {
    let mut followed = Followed::new();
    followed.nothing_changes().await;
    followed.pair.replace(&Made::new("b"));
    followed.changed().await;
    followed.nothing_changes().await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_pair_keeps_the_one_before_and_the_next_good_one_is_used() {
    let mut followed = Followed::new();
    let next = Made::new("b");
    followed.pair.write("site.pem", next.pem());
    followed.nothing_changes().await;
    std::fs::remove_file(followed.pair.path().join("site.key")).unwrap();
    followed.nothing_changes().await;
    followed.pair.write("site.key", next.key_pem());
    followed.changed().await;
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_that_points_elsewhere_is_a_change() {
    let pair = Pair::new("a");
    let link = |name: &str, to: &str| {
        let new = pair.path().join("new");
        std::os::unix::fs::symlink(pair.path().join(to), &new).unwrap();
        std::fs::rename(new, pair.path().join(name)).unwrap();
    };
    let next = Made::new("b");
    let both = pair.write("1.pem", pair.made().pem() + &pair.made().key_pem());
    std::fs::copy(&both, pair.path().join("2.pem")).unwrap();
    pair.write("3.pem", next.pem() + &next.key_pem());
    link("live.pem", "1.pem");
    let live = pair.path().join("live.pem");
    let (source, certificates) = Source::open(TlsSettings::new(&live, &live)).unwrap();
    let task = tokio::spawn(source.follow(Arc::default()));
    for to in ["2.pem", "3.pem"] {
        let mut changes = certificates.changes.clone();
        changes.mark_unchanged();
        link("live.pem", to);
        changes.changed().await.unwrap();
    }
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn reads_the_files_at_once_when_asked() {
    let mut followed = Followed::new();
    let start = tokio::time::Instant::now();
    followed.asked.notify_one();
    followed.changed().await;
    assert_eq!(start.elapsed(), std::time::Duration::ZERO);
}
