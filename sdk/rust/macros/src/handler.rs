//! The attributes: a function in, the function and its descriptor out.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{ItemFn, LitStr, Type};

use crate::args::{self, Args};
use crate::{names, signature};

/// Which of the two kinds that look alike.
#[derive(Clone, Copy)]
pub enum Side {
    Api,
    SyncServer,
}

const API_KEYS: &[&str] = &[
    "name",
    "version",
    "page",
    "method",
    "login",
    "additional",
    "rate_limit",
    "validation",
    "error_formatter",
    "stream",
];
const SYNC_SERVER_KEYS: &[&str] = &[
    "name",
    "version",
    "page",
    "login",
    "additional",
    "rate_limit",
    "validation",
    "error_formatter",
    "stream",
];
const SYNC_CLIENT_KEYS: &[&str] = &["name", "version", "page"];
const HOOK_KEYS: &[&str] = &["order", "payload", "routes"];

/// The name of the items beside a handler, in the namespaces of values and of macros.
pub fn companion(ident: &Ident) -> Ident {
    format_ident!("__luckystack_handler_{}", ident.unraw())
}

/// `#[api]` and `#[sync_server]`.
pub fn api(tokens: TokenStream, item: TokenStream, side: Side) -> syn::Result<TokenStream> {
    let (attribute, keys, kind) = match side {
        Side::Api => ("api", API_KEYS, "api"),
        Side::SyncServer => ("sync_server", SYNC_SERVER_KEYS, "sync_server"),
    };
    let expected = "fn(ctx: &Ctx, input: I) -> Result<T, HandlerError>";
    let item = function_item(attribute, item)?;
    let mut args = args::read(attribute, keys, false, tokens)?;
    let route = route(&item, &mut args)?;
    let ident = &item.sig.ident;

    let parameters = signature::parameters(attribute, &item, expected)?;
    let (input, invoke) = match parameters[..] {
        [] => (None, quote!(#ident())),
        [Type::Reference(_)] => (None, quote!(#ident(ctx))),
        [input] => (Some(input), quote!(#ident(input))),
        [Type::Reference(_), input] => (Some(input), quote!(#ident(ctx, input))),
        _ => return Err(shape(attribute, &item, expected)),
    };
    let input = input.map_or_else(|| quote!(::luckystack::Empty), |ty| quote!(#ty));
    let output = signature::output(&item);
    let stream = match &args.stream {
        Some(chunk) => quote!(|| ::luckystack::__private::output_schema::<#chunk>()),
        None => quote!(|| ::core::option::Option::None),
    };
    let descriptor = quote! {
        ::luckystack::__private::Api {
            route: #route,
            #[allow(unused_variables)]
            call: |ctx, input| ::luckystack::__private::call_api(ctx, input, |ctx: &::luckystack::Ctx, input: #input| #invoke),
            input: || ::luckystack::__private::input_schema::<#input>(),
            output: || ::luckystack::__private::reply_schema::<#output>(),
            stream: #stream,
        }
    };
    Ok(emit(kind, &item, &quote!(::luckystack::__private::Api), &descriptor))
}

/// `#[sync_client]`.
pub fn sync_client(tokens: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let attribute = "sync_client";
    let expected = "fn(to: &Recipient, input: &I, server: &S) -> Result<T, HandlerError>";
    let item = function_item(attribute, item)?;
    let mut args = args::read(attribute, SYNC_CLIENT_KEYS, false, tokens)?;
    let route = route(&item, &mut args)?;
    let ident = &item.sig.ident;

    let mut referents = Vec::new();
    for ty in signature::parameters(attribute, &item, expected)? {
        match ty {
            Type::Reference(reference) => referents.push(&*reference.elem),
            _ => return Err(shape(attribute, &item, expected)),
        }
    }
    let unread = quote!(::luckystack::__private::Unread);
    let (input, server, invoke) = match referents[..] {
        [_] => (quote!(::luckystack::Empty), unread, quote!(#ident(to))),
        [_, input] => (quote!(#input), unread, quote!(#ident(to, input))),
        [_, input, server] => (
            quote!(#input),
            quote!(::luckystack::__private::Read<#server>),
            quote!(#ident(to, input, &server.0)),
        ),
        _ => return Err(shape(attribute, &item, expected)),
    };
    let output = signature::output(&item);
    let descriptor = quote! {
        ::luckystack::__private::SyncClient {
            route: #route,
            #[allow(unused_variables)]
            call: |batch| ::luckystack::__private::call_sync_client(
                batch,
                |to: &::luckystack::Recipient, input: &#input, server: &#server| #invoke,
            ),
            output: || ::luckystack::__private::reply_schema::<#output>(),
        }
    };
    Ok(emit("sync_client", &item, &quote!(::luckystack::__private::SyncClient), &descriptor))
}

/// `#[hook]`.
pub fn hook(tokens: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let attribute = "hook";
    let item = function_item(attribute, item)?;
    let args = args::read(attribute, HOOK_KEYS, true, tokens)?;
    let name = named(args.name);
    names::hook(&name.value(), name.span())?;
    let ident = &item.sig.ident;

    let expected = "fn(event: E) -> Outcome";
    let parameters = signature::parameters(attribute, &item, expected)?;
    let (event, invoke) = match parameters[..] {
        [] => (quote!(::luckystack::Empty), quote!(#ident())),
        [event] => (quote!(#event), quote!(#ident(event))),
        _ => return Err(shape(attribute, &item, expected)),
    };
    let members = &args.members.0;
    let descriptor = quote! {
        ::luckystack::__private::Hook {
            hook: #name,
            members: #members,
            #[allow(unused_variables)]
            handle: |payload| ::luckystack::__private::call_hook(payload, |event: #event| #invoke),
        }
    };
    Ok(emit("hook", &item, &quote!(::luckystack::__private::Hook), &descriptor))
}

/// `#[function]`.
pub fn function(tokens: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let attribute = "function";
    let item = function_item(attribute, item)?;
    let mut args = args::read(attribute, &[], true, tokens)?;
    let name = named(args.name.take());
    names::function(&name.value(), name.span())?;
    if let Some(description) = signature::description(&item)? {
        args.members.text("description", &description);
    }
    let ident = &item.sig.ident;

    let expected = "fn(args: A) -> Result<T, HandlerError>";
    let parameters = signature::parameters(attribute, &item, expected)?;
    let (arguments, invoke) = match parameters[..] {
        [] => (quote!(::luckystack::Empty), quote!(#ident())),
        [arguments] => (quote!(#arguments), quote!(#ident(args))),
        _ => return Err(shape(attribute, &item, expected)),
    };
    let output = signature::output(&item);
    let members = &args.members.0;
    let descriptor = quote! {
        ::luckystack::__private::Function {
            name: #name,
            members: #members,
            #[allow(unused_variables)]
            call: |args| ::luckystack::__private::call_function(args, |args: #arguments| #invoke),
            input: || ::luckystack::__private::input_schema::<#arguments>(),
            output: || ::luckystack::__private::output_schema::<<#output as ::luckystack::Reply>::Success>(),
        }
    };
    Ok(emit("function", &item, &quote!(::luckystack::__private::Function), &descriptor))
}

/// `#[error_formatter]`.
pub fn error_formatter(tokens: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let attribute = "error_formatter";
    let item = function_item(attribute, item)?;
    let args = args::read(attribute, &["global"], false, tokens)?;
    if item.sig.inputs.len() != 1 {
        return Err(shape(attribute, &item, "fn(event: ErrorEvent) -> Option<Value>"));
    }
    let ident = &item.sig.ident;
    let global = args.global;
    let descriptor = quote!(::luckystack::__private::ErrorFormatter { global: #global, format: #ident });
    Ok(emit("error_formatter", &item, &quote!(::luckystack::__private::ErrorFormatter), &descriptor))
}

fn function_item(attribute: &str, item: TokenStream) -> syn::Result<ItemFn> {
    let item: ItemFn = syn::parse2(item).map_err(|error| {
        syn::Error::new(error.span(), format!("#[{attribute}] goes on a function: {error}"))
    })?;
    signature::check(attribute, &item)?;
    Ok(item)
}

fn named(name: Option<LitStr>) -> LitStr {
    // `args::read` has refused attributes without one.
    name.unwrap_or_else(|| LitStr::new("", Span::call_site()))
}

fn shape(attribute: &str, item: &ItemFn, expected: &str) -> syn::Error {
    syn::Error::new(
        item.sig.ident.span(),
        format!("#[{attribute}] goes on a function of this shape: `{expected}`"),
    )
}

fn route(item: &ItemFn, args: &mut Args) -> syn::Result<TokenStream> {
    let name = match &args.name {
        Some(name) => name.value(),
        None => {
            let ident = item.sig.ident.unraw();
            let name = names::camel_case(&ident.to_string());
            names::leaf(&name, ident.span())?;
            name
        }
    };
    if let Some(description) = signature::description(item)? {
        args.members.text("description", &description);
    }
    let page = match &args.page {
        Some(page) => quote!(::core::option::Option::Some(#page)),
        None => quote!(::core::option::Option::None),
    };
    let version = args.version.unwrap_or(1);
    let members = &args.members.0;
    let error_formatter = args.error_formatter;
    Ok(quote! {
        ::luckystack::__private::Route {
            page: #page,
            name: #name,
            version: #version,
            members: #members,
            error_formatter: #error_formatter,
        }
    })
}

/// The function, its descriptor, and the macro that passes the kind on to the next handler's macro, or
/// after the last to `plugin_exports!`.
fn emit(kind: &str, item: &ItemFn, ty: &TokenStream, descriptor: &TokenStream) -> TokenStream {
    let companion = companion(&item.sig.ident);
    let kind = Ident::new(kind, Span::call_site());
    let local = format_ident!("{companion}_kind");
    quote! {
        #item

        #[doc(hidden)]
        #[allow(non_upper_case_globals)]
        pub(crate) const #companion: #ty = #descriptor;

        #[doc(hidden)]
        #[allow(unused_macros)]
        macro_rules! #local {
            ($config:tt [$($done:tt)*] $me:tt) => {
                ::luckystack::__private::plugin_exports! { $config [$($done)* #kind $me] }
            };
            ($config:tt [$($done:tt)*] $me:tt $next:path, $name:tt $($rest:tt)*) => {
                $next! { $config [$($done)* #kind $me] $name $($rest)* }
            };
        }
        #[doc(hidden)]
        #[allow(unused_imports)]
        pub(crate) use #local as #companion;
    }
}
