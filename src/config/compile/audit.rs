//! What audit records say, and where they go.

use super::replay::shared_key;
use super::{Environment, optional};
use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::config::problem::nearest;
use crate::config::tree::Tree;
use crate::policy::{
    AuditField, AuditFields, AuditSettings, FilterStateScope, LogSample, LogScope, RecordForm, Salt, SubjectForm,
};

/// `audit`.
pub(super) fn read(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<AuditSettings> {
    let object = cursor.object(&fields::AUDIT)?;
    let subject = optional(&object, "subject", SubjectForm::default(), |cursor| {
        cursor.word(&[("plain", SubjectForm::Plain), ("hash", SubjectForm::Hash), ("omit", SubjectForm::Omit)])
    });
    let salt = optional(&object, "salt", None, |cursor| {
        let secret = shared_key(cursor, environment)?;
        if subject != Some(SubjectForm::Hash) {
            return cursor.wrong("has nothing to be in", "write subject: hash beside it, or leave it out");
        }
        Some(Some(Salt::new(&secret)))
    });
    let filter_state = optional(&object, "filter_state", FilterStateScope::default(), |cursor| {
        cursor.word(&[
            ("all", FilterStateScope::All),
            ("denials", FilterStateScope::Denials),
            ("none", FilterStateScope::None),
        ])
    });
    let record = optional(&object, "record", RecordForm::default(), |cursor| {
        cursor.word(&[("text", RecordForm::Text), ("object", RecordForm::Object)])
    });
    let fields = optional(&object, "fields", AuditFields::default(), read_fields);
    let log = optional(&object, "log", LogScope::default(), |cursor| {
        // YAML takes `off` without quotes for `false`.
        if *cursor.value() == Tree::Bool(false) {
            return Some(LogScope::Off);
        }
        cursor.word(&[("off", LogScope::Off), ("denials", LogScope::Denials), ("all", LogScope::All)])
    });
    let log_sample = optional(&object, "log_sample", LogSample::default(), |cursor| {
        let sample = cursor.whole(1..=1_000_000).map(LogSample)?;
        if log != Some(LogScope::All) {
            return cursor.wrong("has nothing to choose from", "write log: all beside it, or leave it out");
        }
        Some(sample)
    });
    Some(AuditSettings {
        subject: subject?,
        salt: salt?,
        filter_state: filter_state?,
        record: record?,
        fields: fields?,
        log: log?,
        log_sample: log_sample?,
    })
}

/// The name of a set of members, or the names of members.
fn read_fields(cursor: &Cursor<'_>) -> Option<AuditFields> {
    if !matches!(cursor.value(), Tree::List(_)) {
        return cursor.word(&[
            ("standard", AuditFields::STANDARD),
            ("minimal", AuditFields::MINIMAL),
            ("full", AuditFields::FULL),
        ]);
    }
    let named = cursor.list_of("member of records", |item| {
        let name = item.text()?;
        let found = AuditField::ALL.iter().find(|field| field.name == name);
        found.copied().or_else(|| {
            let names: Vec<&str> = AuditField::ALL.iter().map(|field| field.name).collect();
            let remedy = match nearest(name, names.iter().copied()) {
                Some(known) => ["did you mean `", known, "`?"].concat(),
                None => "envoy/audit.schema.json has their names".to_owned(),
            };
            item.wrong("is not a member of records", remedy)
        })
    });
    named.map(|named| AuditFields::of(&named))
}
