//! The files of an operator: a plugin configuration, Envoy's YAML or JSON, a configuration dump, resources of Istio and
//! Envoy Gateway. Reads them into one model, with the position of everything.

mod kind;
mod unpack;
mod view;

pub use kind::DocumentKind;
pub use view::View;
pub(in crate::cli) use view::is_same;

use crate::base::base64url;
use crate::config::{self, ConfigError, Dialect, Flaw, METADATA_NAMESPACE, Node, Problem, Text, read_documents};
use crate::crypto::sha256;
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// A file and its documents.
#[derive(Debug)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// Its YAML or JSON documents, and those in them.
    pub documents: Vec<Document>,
    /// Oddities in their form.
    pub flaws: Vec<Flaw>,
    /// The texts that hold JSON, read as configurations.
    embedded: Vec<(Text, Result<Node, ConfigError>)>,
}

/// A document: a resource, or a whole configuration.
#[derive(Debug)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    node: Node,
    path: String,
}

impl Document {
    fn new(path: String, mut node: Node) -> Self {
        unpack::typed_structs(&mut node);
        let kind = DocumentKind::of(&View { node: &node, path: String::new() });
        Self { kind, node, path }
    }

    /// The whole document; its path is empty unless another holds it.
    #[must_use]
    pub fn root(&self) -> View<'_> {
        View { node: &self.node, path: self.path.clone() }
    }
}

impl Source {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be read, or is not YAML or JSON; the text names the file and the place.
    pub fn read(file: &Path) -> Result<Self, Box<dyn Error>> {
        let mut text = String::new();
        let most = MAX_FILE.saturating_add(1);
        let read = if file.as_os_str() == "-" {
            std::io::stdin().lock().take(most).read_to_string(&mut text)
        } else {
            std::fs::File::open(file).and_then(|opened| opened.take(most).read_to_string(&mut text))
        };
        read.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        if u64::try_from(text.len())? > MAX_FILE {
            return Err(format!("{} is larger than {} MB", file.display(), MAX_FILE >> 20).into());
        }
        Self::of_text(file, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is not YAML or JSON; the text names the file and the place.
    pub(in crate::cli) fn of_text(file: &Path, text: &str) -> Result<Self, Box<dyn Error>> {
        let mut source = Self { file: file.to_owned(), documents: Vec::new(), flaws: Vec::new(), embedded: Vec::new() };
        source.add(text, is_json(file, text)).map_err(|error| {
            let made = if text.contains("{{") { "; a template has to be rendered first (helm template)" } else { "" };
            format!("{}:{error}{made}", file.display())
        })?;
        if source.documents.is_empty() {
            return Err(format!("{} is empty", file.display()).into());
        }
        Ok(source)
    }

    /// Adds the documents of a text.
    fn add(&mut self, text: &str, is_json: bool) -> Result<(), config::YamlError> {
        for document in read_documents(text, is_json)? {
            let (dialect, index, at) = (document.dialect, document.index, document.node.at);
            self.flaws.extend(document.flaws);
            let before = self.documents.len();
            self.documents
                .extend(unpack::documents(document.node).into_iter().map(|(path, node)| Document::new(path, node)));
            let added = before..self.documents.len();
            if index > 0 && dialect == Dialect::Envoy && self.is_envoy(added.clone()) {
                let what = "Envoy reads the first document of a file alone: nothing in this one counts".to_owned();
                let remedy = "give it a file of its own, or put it into the first".to_owned();
                self.flaws.push(Flaw { rule: "second-document", is_error: true, at, what, remedy });
            }
            for index in added {
                self.add_files(index, &document.texts, text);
            }
            let json = document.texts.into_iter().filter(Text::is_json);
            self.embedded.extend(json.map(|json| (json.read(text), json)).map(|(read, json)| (json, read)));
        }
        Ok(())
    }

    fn is_envoy(&self, documents: std::ops::Range<usize>) -> bool {
        self.documents
            .get(documents)
            .is_some_and(|added| added.iter().any(|document| document.kind == DocumentKind::Envoy))
    }

    /// Adds the documents of the files in a resource, such as a `ConfigMap`; `texts` are those of `outer`.
    fn add_files(&mut self, index: usize, texts: &[Text], outer: &str) {
        let Some(document) = self.documents.get(index) else { return };
        let mut read = Vec::new();
        for (name, view) in unpack::files(&document.root()) {
            let Some(text) = texts.iter().find(|text| Some(text.member) == view.position()) else { continue };
            let mut inner =
                Self { file: self.file.clone(), documents: Vec::new(), flaws: Vec::new(), embedded: Vec::new() };
            let places = text.places(outer);
            match inner.add(&text.text, is_json(Path::new(name), &text.text)) {
                Ok(()) if inner.documents.iter().any(|document| document.kind != DocumentKind::Unknown) => {
                    inner.move_out(&places, &view.path);
                    read.push(inner);
                }
                // Its content is not ours.
                Err(error) if text.text.contains(METADATA_NAMESPACE) => {
                    let at = error.at.and_then(|at| places.outer(at));
                    let flaw = Flaw {
                        rule: "file-unreadable",
                        is_error: true,
                        at,
                        what: error.what,
                        remedy: "mend it".into(),
                    };
                    inner.flaws = vec![flaw];
                    inner.documents.clear();
                    read.push(inner);
                }
                _ => {}
            }
        }
        for inner in read {
            self.documents.extend(inner.documents);
            self.flaws.extend(inner.flaws);
            self.embedded.extend(inner.embedded);
        }
    }

    /// Replaces the positions by those in the surrounding file.
    fn move_out(&mut self, places: &config::TextPositions<'_>, path: &str) {
        for document in &mut self.documents {
            places.move_out(&mut document.node);
            let own = std::mem::take(&mut document.path);
            document.path = if own.is_empty() { path.to_owned() } else { format!("{path}.{own}") };
        }
        for flaw in &mut self.flaws {
            flaw.at = flaw.at.and_then(|at| places.outer(at));
        }
        for (text, read) in &mut self.embedded {
            text.member = places.outer(text.member).unwrap_or(text.member);
            text.start = places.outer(text.start).unwrap_or(text.start);
            match read {
                Ok(node) => places.move_out(node),
                Err(ConfigError(problems)) => {
                    for problem in problems {
                        problem.at = problem.at.and_then(|at| places.outer(at));
                    }
                }
            }
        }
    }

    /// Reads files.
    ///
    /// # Errors
    /// As [`Self::read`], for the first that cannot be read.
    pub fn read_all(files: &[PathBuf]) -> Result<Vec<Self>, Box<dyn Error>> {
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// The names of files, for messages.
    #[must_use]
    pub fn names(sources: &[Self]) -> String {
        sources.iter().map(|source| source.file.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a text is read as JSON: by the name of its file, as in Envoy; otherwise if it is JSON.
fn is_json(file: &Path, text: &str) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "json" => true,
        "yaml" | "yml" => false,
        _ => text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
    }
}

/// The plugin configuration in a Wasm filter's `configuration` or a dynamic module's `filter_config`, a Struct or JSON in a
/// `StringValue`, as an object; or in the `pluginConfig` of a resource, which is the object.
///
/// # Errors
/// What is wrong with JSON in a text.
pub fn plugin_values<'n>(source: &'n Source, configuration: &View<'n>) -> Result<View<'n>, ConfigError> {
    let Some(type_name) = configuration.type_name() else { return Ok(configuration.clone()) };
    let Some(value) = configuration.get("value") else { return Err(refused("")) };
    match type_name {
        "google.protobuf.Struct" => return Ok(value),
        "google.protobuf.StringValue" => {}
        other => {
            let what = format!("is a {other}, of which the plugin reads nothing");
            let remedy = "write a google.protobuf.Struct, or JSON in a google.protobuf.StringValue".to_owned();
            return Err(ConfigError(vec![Problem { path: String::new(), at: configuration.position(), what, remedy }]));
        }
    }
    // A text from an alias has the position of the text that it repeats.
    let embedded = &source.embedded;
    let found = embedded
        .iter()
        .find(|(json, _)| Some(json.member) == value.position())
        .or_else(|| embedded.iter().find(|(json, _)| Some(json.text.as_str()) == value.text()));
    match found {
        Some((_, Ok(node))) => Ok(View { node, path: value.path }),
        Some((_, Err(error))) => Err(error.clone()),
        None => Err(refused(value.text().unwrap_or_default())),
    }
}

/// Why a text is not a configuration.
fn refused(text: &str) -> ConfigError {
    config::load(text.as_bytes(), &any_secret).err().unwrap_or(ConfigError(Vec::new()))
}

/// Stands in for secrets, which are missing when a configuration is checked. It is long enough for every use, and no two
/// names have the same.
#[must_use]
pub fn any_secret(name: &str) -> Option<String> {
    let digest = sha256(name.as_bytes());
    Some(base64url::encode(&[digest, digest].concat()))
}
