//! The shape of an annotated function.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, ExprLit, FnArg, ItemFn, Lit, Meta, PatType, ReturnType, Type};

/// A description longer than this is refused by the host.
const MAX_DESCRIPTION: usize = 2000;

/// Refuses what no handler can be.
pub fn check(attribute: &str, item: &ItemFn) -> syn::Result<()> {
    let signature = &item.sig;
    let refuse = |span: Span, what: &str, remedy: &str| {
        Err(syn::Error::new(span, format!("#[{attribute}] cannot be on {what}: {remedy}")))
    };
    if let Some(keyword) = &signature.asyncness {
        return refuse(keyword.span, "an `async fn`", "imports block until they are done, so remove `async`");
    }
    if let Some(keyword) = &signature.unsafety {
        return refuse(keyword.span, "an `unsafe fn`", "the host calls it with any input");
    }
    if let Some(parameter) = signature.generics.params.first() {
        return refuse(syn::spanned::Spanned::span(parameter), "a generic function", "name the types");
    }
    Ok(())
}

/// The types of the parameters.
pub fn parameters<'a>(attribute: &str, item: &'a ItemFn, expected: &str) -> syn::Result<Vec<&'a Type>> {
    item.sig
        .inputs
        .iter()
        .map(|argument| match argument {
            FnArg::Typed(PatType { ty, .. }) => Ok(&**ty),
            FnArg::Receiver(receiver) => Err(syn::Error::new(
                receiver.self_token.span,
                format!("#[{attribute}] is for functions: {expected}"),
            )),
        })
        .collect()
}

/// The return type.
pub fn output(item: &ItemFn) -> TokenStream {
    match &item.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    }
}

/// The doc comment, without the indentation that rustfmt gives it.
pub fn description(item: &ItemFn) -> syn::Result<Option<String>> {
    let mut lines = Vec::new();
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &pair.value
        {
            lines.extend(line.value().split('\n').map(|line| line.trim().to_owned()));
        }
    }
    let text = lines.join("\n").trim().to_owned();
    if text.chars().count() > MAX_DESCRIPTION {
        let message =
            format!("the doc comment is the handler's description: at most {MAX_DESCRIPTION} characters");
        return Err(syn::Error::new(item.sig.ident.span(), message));
    }
    Ok((!text.is_empty()).then_some(text))
}
