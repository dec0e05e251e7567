//! Protected resources, and the requirements that name one.

use super::requirement::{issuer_id, scope};
use super::{IssuerNames, csrf, optional, texts};
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{Issuer, IssuerId, NoIdentifier, Resource, ResourceId, ResourceIdentifier, Scope};

/// All resources. `issuers` are those of the configuration, if they can be read.
pub(super) fn read(cursor: &Cursor<'_>, names: &IssuerNames, issuers: Option<&[Issuer]>) -> Option<Vec<Resource>> {
    let resources = cursor.list_of("resource", |item| resource(item, names, issuers))?;
    for (index, item) in cursor.list()?.iter().enumerate() {
        let Some(own) = resources.get(index) else { continue };
        let earlier = || resources.iter().take(index).map(|earlier| &earlier.identifier);
        if earlier().any(|earlier| *earlier == own.identifier) {
            item.wrong::<()>("has the same `resource` as an entry before it", "make one entry of them");
        } else if earlier().any(|earlier| earlier.shares_metadata_with(&own.identifier)) {
            item.wrong::<()>(
                "differs from an entry before it in the scheme or in a slash at the end only, so that clients look for the \
                 metadata of both at one address",
                "keep the one that clients are configured with",
            );
        }
    }
    Some(resources)
}

fn resource(cursor: &Cursor<'_>, names: &IssuerNames, issuers: Option<&[Issuer]>) -> Option<Resource> {
    let object = cursor.object(&fields::RESOURCE)?;
    let identifier = object
        .need("resource", "write the address that clients are configured with, such as https://mcp.example.com/mcp")
        .and_then(|cursor| identifier(&cursor));
    let scopes_supported = optional(&object, "scopes_supported", Vec::new(), |c| c.list_of("scope", supported_scope));
    let audiences = optional(&object, "audiences", None, |c| texts(c, "audience").map(Some));
    let (Some(identifier), Some(audiences)) = (identifier, audiences) else {
        return authorization_servers(&object, names, issuers, None).and(None);
    };
    let audiences = audiences.unwrap_or_else(|| vec![identifier.text()]);
    let authorization_servers = authorization_servers(&object, names, issuers, Some(&audiences))?;
    Some(Resource { identifier, authorization_servers, scopes_supported: scopes_supported?, audiences })
}

fn identifier(cursor: &Cursor<'_>) -> Option<ResourceIdentifier> {
    let (what, remedy) = match ResourceIdentifier::parse(cursor.text()?, csrf::is_origin) {
        Ok(identifier) => return Some(identifier),
        Err(NoIdentifier::Query) => ("has a query or a fragment", "leave it out"),
        Err(NoIdentifier::PlainText) => {
            ("is an http address of another machine", "write https; http is for localhost, 127.0.0.1 and [::1]")
        }
        Err(NoIdentifier::Spelling) => (
            "is not an https address as clients spell it",
            "write scheme and host in lower case, without user information, the port if it is not the default, and a path \
             without dot segments",
        ),
    };
    cursor.wrong(what, remedy)
}

/// A scope that clients may ask for because the metadata names it.
fn supported_scope(cursor: &Cursor<'_>) -> Option<Scope> {
    let scope = scope(cursor)?;
    if scope.as_str() == "offline_access" {
        return cursor.wrong(
            "asks the issuer for a refresh token, and not for access to a resource",
            "leave it out: whether a client wants one is its own matter",
        );
    }
    Some(scope)
}

/// The issuers of a resource, of which each has an address, and accepts tokens for the resource.
fn authorization_servers(
    object: &Object<'_>,
    names: &IssuerNames,
    issuers: Option<&[Issuer]>,
    audiences: Option<&[String]>,
) -> Option<Vec<IssuerId>> {
    let list = object.need("authorization_servers", "name the issuers whose tokens it accepts")?;
    let ids = list.list_of("issuer", |item| {
        let id = issuer_id(item, names)?;
        let Some(issuer) = issuers.and_then(|issuers| issuers.get(id.0)) else { return Some(id) };
        let address = issuer.issuer.as_str();
        if !address.starts_with("https://") && !address.starts_with("http://") || address.contains(['?', '#']) {
            return item.wrong(
                "has an `issuer` that is no address, and clients look for its metadata there",
                "name an issuer whose `issuer` is an https address without query and fragment",
            );
        }
        if audiences.is_some_and(|audiences| !audiences.iter().any(|audience| issuer.audiences.contains(audience))) {
            return item.wrong(
                "accepts no token for this resource, since its `audiences` do not name it",
                "add the resource to the `audiences` of the issuer, or what the issuer writes into aud to the `audiences` of \
                 the resource",
            );
        }
        Some(id)
    })?;
    for (index, item) in list.list()?.iter().enumerate() {
        if ids.iter().take(index).any(|earlier| ids.get(index) == Some(earlier)) {
            item.wrong::<()>("is there twice", "keep one");
        }
    }
    Some(ids)
}

/// The resource that a requirement names. `resources` are those of the configuration, if they can be read.
pub(super) fn named(cursor: &Cursor<'_>, resources: Option<&[Resource]>) -> Option<ResourceId> {
    let wanted = cursor.text()?;
    let resources = resources?;
    if let Some(index) = resources.iter().position(|resource| resource.identifier.text() == wanted) {
        return Some(ResourceId(index));
    }
    let known: Vec<String> = resources.iter().map(|resource| resource.identifier.text()).collect();
    let remedy = if known.is_empty() {
        "add it to `resources` at the top of the configuration".to_owned()
    } else {
        format!("the resources are {}", known.join(", "))
    };
    cursor.wrong("is not a resource of the configuration", remedy)
}

/// Leaves of `own`, which a requirement accepts, what its resource accepts too.
pub(super) fn narrow<T: Clone + PartialEq>(
    object: &Object<'_>,
    field: &str,
    own: &mut Option<Vec<T>>,
    of_resource: Option<&Vec<T>>,
) -> Option<()> {
    let Some(of_resource) = of_resource else { return Some(()) };
    let Some(own) = own else {
        *own = Some(of_resource.clone());
        return Some(());
    };
    own.retain(|one| of_resource.contains(one));
    if own.is_empty() {
        return object.get(field).unwrap_or_else(|| object.cursor().clone()).wrong(
            "names nothing that the `resource` of this requirement accepts",
            "leave it out: `resource` says which issuers and audiences are accepted",
        );
    }
    Some(())
}
