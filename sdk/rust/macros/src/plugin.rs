//! `plugin!`: from a list of handlers to the exports of a component.
//!
//! The list gives names; what kind each is, its companion macro knows. So the work has two steps. The
//! first invokes the companion of the first handler with the rest of the list; each adds its kind and
//! invokes the next. The last invokes the second step, which sees all kinds and exports exactly the
//! interfaces that they need.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token, braced, bracketed, parenthesized};

use crate::handler::companion;
use crate::names;

const KEYS: &[&str] = &["service", "name", "version", "description", "user_store", "handlers"];

/// What `plugin!` was told.
#[derive(Default)]
struct Config {
    service: Option<LitStr>,
    name: Option<LitStr>,
    version: Option<Expr>,
    description: Option<LitStr>,
    user_store: Option<Path>,
    handlers: Option<Vec<Path>>,
}

impl Parse for Config {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut config = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if seen.contains(&key) {
                return Err(syn::Error::new(key.span(), format!("`{key}` is set twice")));
            }
            let word = key.to_string();
            if !KEYS.contains(&word.as_str()) {
                return Err(names::unknown("key of plugin!:", &word, KEYS, key.span()));
            }
            input.parse::<Token![=]>()?;
            match word.as_str() {
                "service" => {
                    let service: LitStr = input.parse()?;
                    names::page("service", &service.value(), service.span())?;
                    config.service = Some(service);
                }
                "name" => {
                    let name: LitStr = input.parse()?;
                    names::plugin(&name.value(), name.span())?;
                    config.name = Some(name);
                }
                "version" => config.version = Some(input.parse()?),
                "user_store" => config.user_store = Some(input.call(Path::parse_mod_style)?),
                "description" => {
                    let description: LitStr = input.parse()?;
                    if description.value().chars().count() > 500 {
                        return Err(syn::Error::new(
                            description.span(),
                            "`description` has at most 500 characters",
                        ));
                    }
                    config.description = Some(description);
                }
                _ => {
                    let content;
                    bracketed!(content in input);
                    let paths = Punctuated::<Path, Token![,]>::parse_terminated_with(
                        &content,
                        Path::parse_mod_style,
                    )?;
                    config.handlers = Some(paths.into_iter().collect());
                }
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(config)
    }
}

/// The first step.
pub fn plugin(input: TokenStream) -> syn::Result<TokenStream> {
    let config: Config = syn::parse2(input)?;
    let missing = |key: &str| {
        syn::Error::new(
            Span::call_site(),
            format!("plugin! needs `{key}`: `luckystack::plugin! {{ service = \"…\", handlers = [a, b] }}`"),
        )
    };
    let service = config.service.ok_or_else(|| missing("service"))?;
    let handlers = config.handlers.ok_or_else(|| missing("handlers"))?;
    let name = config.name.map_or_else(|| quote!(::core::env!("CARGO_PKG_NAME")), |name| quote!(#name));
    let version =
        config.version.map_or_else(|| quote!(::core::env!("CARGO_PKG_VERSION")), |version| quote!(#version));
    let description = config.description.unwrap_or_else(|| LitStr::new("", Span::call_site()));

    for (i, handler) in handlers.iter().enumerate() {
        let text = quote!(#handler).to_string();
        if handlers[..i].iter().any(|earlier| quote!(#earlier).to_string() == text) {
            let message = format!("`{}` is listed twice", text.replace(' ', ""));
            return Err(syn::Error::new_spanned(handler, message));
        }
    }

    // The second step has no other way to hear of it.
    let user_store = config.user_store.map(|path| quote!(, #path));
    let config = quote!({ #name, #version, #description, #service #user_store });
    let mut companions = handlers.iter().map(companion_path);
    let Some(first) = companions.next() else {
        return exports(quote!(#config []));
    };
    // `[a] next_path, [b] …`: each macro takes its own path, and what to invoke next.
    let rest = companions.map(|path| quote!(#path, (#path)));
    Ok(quote!(#first! { #config [] (#first) #(#rest)* }))
}

/// `positions::track` → `positions::__luckystack_handler_track`
fn companion_path(handler: &Path) -> Path {
    let mut path = handler.clone();
    if let Some(last) = path.segments.last_mut() {
        let mut ident = companion(&last.ident);
        ident.set_span(last.ident.span());
        last.ident = ident;
    }
    path
}

/// What the second step is given: the configuration as written above, and the kind of every handler.
struct Gathered {
    config: Vec<Expr>,
    handlers: Vec<(String, Path)>,
}

impl Parse for Gathered {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        braced!(content in input);
        let config = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?.into_iter().collect();
        let list;
        bracketed!(list in input);
        let mut handlers = Vec::new();
        while !list.is_empty() {
            let kind: Ident = list.parse()?;
            let path;
            parenthesized!(path in list);
            handlers.push((kind.to_string(), path.call(Path::parse_mod_style)?));
        }
        Ok(Self { config, handlers })
    }
}

/// The second step.
pub fn exports(input: TokenStream) -> syn::Result<TokenStream> {
    let Gathered { config, handlers } = syn::parse2(input)?;
    let [name, version, description, service, user_store @ ..] = &config[..] else {
        return Err(syn::Error::new(Span::call_site(), "plugin_exports! is invoked by plugin! only"));
    };
    let user_store = user_store.first();
    let keeps_users = user_store.is_some();
    let named_store = user_store.map(|store| {
        quote! {
            // Natively nothing else says what is wrong with the type.
            const _: fn() = || {
                fn is_a_user_store<S: ::luckystack::users::UserStore>() {}
                is_a_user_store::<#store>();
            };
        }
    });
    let of = |kind: &str| -> Vec<&Path> {
        handlers.iter().filter(|(known, _)| known == kind).map(|(_, path)| path).collect()
    };
    let (apis, sync_servers, sync_clients) = (of("api"), of("sync_server"), of("sync_client"));
    let (hooks, functions, formatters) = (of("hook"), of("function"), of("error_formatter"));
    if let [_, second, ..] = formatters[..] {
        return Err(syn::Error::new_spanned(
            second,
            "a plugin has one #[error_formatter]; remove one from `handlers`",
        ));
    }
    let formatter = match formatters.first() {
        Some(path) => quote!(::core::option::Option::Some(#path)),
        None => quote!(::core::option::Option::None),
    };

    let exports = [
        (true, manifest_export()),
        (!apis.is_empty(), api_export()),
        (!sync_servers.is_empty(), sync_server_export()),
        (!sync_clients.is_empty(), sync_client_export()),
        (!hooks.is_empty(), hooks_export()),
        (!functions.is_empty(), functions_export()),
        (!formatters.is_empty(), error_formatter_export()),
        (keeps_users, user_store_export(user_store)),
    ];
    let exports = exports.into_iter().filter(|(used, _)| *used).map(|(_, export)| export);

    Ok(quote! {
        /// This plugin, for tests with `luckystack::testing`.
        pub static PLUGIN: ::luckystack::__private::Plugin = {
            const PLUGIN: ::luckystack::__private::Plugin = ::luckystack::__private::Plugin {
                name: #name,
                version: #version,
                description: #description,
                service: #service,
                apis: &[#(#apis),*],
                sync_servers: &[#(#sync_servers),*],
                sync_clients: &[#(#sync_clients),*],
                hooks: &[#(#hooks),*],
                functions: &[#(#functions),*],
                error_formatter: #formatter,
                user_store: #keeps_users,
            };
            PLUGIN.check();
            PLUGIN
        };

        #named_store

        #[cfg(target_family = "wasm")]
        const _: () = {
            use ::luckystack::__private::{bindings, exports};
            use ::luckystack::__private::bindings::imports::luckystack::plugin::types;
            use ::std::{option::Option, result::Result, string::String, vec::Vec};

            struct Component;
            #(#exports)*
        };
    })
}

fn manifest_export() -> TokenStream {
    quote! {
        impl bindings::manifest::exports::luckystack::plugin::plugin::Guest for Component {
            fn describe() -> String {
                exports::describe(&PLUGIN)
            }
        }
        bindings::manifest::export_manifest!(Component with_types_in ::luckystack::__private::bindings::manifest);
    }
}

fn api_export() -> TokenStream {
    quote! {
        impl bindings::api::exports::luckystack::plugin::api::Guest for Component {
            fn call(route: String, caller: types::Caller, input: Vec<u8>) -> Result<Vec<u8>, types::HandlerError> {
                exports::api(&PLUGIN, route, caller, &input)
            }
        }
        bindings::api::export_api!(Component with_types_in ::luckystack::__private::bindings::api);
    }
}

fn sync_server_export() -> TokenStream {
    quote! {
        impl bindings::sync_server::exports::luckystack::plugin::sync_server::Guest for Component {
            fn call(
                route: String,
                caller: types::Caller,
                room: String,
                input: Vec<u8>,
            ) -> Result<Vec<u8>, types::HandlerError> {
                exports::sync_server(&PLUGIN, route, caller, room, &input)
            }
        }
        bindings::sync_server::export_sync_server!(
            Component with_types_in ::luckystack::__private::bindings::sync_server
        );
    }
}

fn sync_client_export() -> TokenStream {
    quote! {
        impl bindings::sync_client::exports::luckystack::plugin::sync_client::Guest for Component {
            fn call(
                route: String,
                room: String,
                input: Vec<u8>,
                server_output: Vec<u8>,
                recipients: Vec<types::Recipient>,
            ) -> Vec<Result<Vec<u8>, types::HandlerError>> {
                exports::sync_client(&PLUGIN, &route, &room, input, &server_output, recipients)
            }
        }
        bindings::sync_client::export_sync_client!(
            Component with_types_in ::luckystack::__private::bindings::sync_client
        );
    }
}

fn hooks_export() -> TokenStream {
    quote! {
        impl bindings::hooks::exports::luckystack::plugin::hooks::Guest for Component {
            fn handle(hook: String, payload: Vec<u8>) -> bindings::hooks::exports::luckystack::plugin::hooks::Outcome {
                exports::hook(&PLUGIN, &hook, &payload)
            }
        }
        bindings::hooks::export_hooks!(Component with_types_in ::luckystack::__private::bindings::hooks);
    }
}

fn functions_export() -> TokenStream {
    quote! {
        impl bindings::functions::exports::luckystack::plugin::functions::Guest for Component {
            fn call(name: String, args: Vec<u8>) -> Result<Vec<u8>, types::HandlerError> {
                exports::function(&PLUGIN, &name, &args)
            }
        }
        bindings::functions::export_functions!(Component with_types_in ::luckystack::__private::bindings::functions);
    }
}

fn user_store_export(store: Option<&Expr>) -> TokenStream {
    quote! {
        impl bindings::user_store::exports::luckystack::plugin::user_store::Guest for Component {
            fn by_id(id: String) -> Result<Option<Vec<u8>>, types::HandlerError> {
                exports::user_by_id::<#store>(&id)
            }
            fn by_email(
                email: String,
                provider: Option<String>,
            ) -> Result<Option<Vec<u8>>, types::HandlerError> {
                exports::user_by_email::<#store>(&email, provider.as_deref())
            }
            fn create(user: Vec<u8>, unique_email: bool) -> Result<Vec<u8>, types::HandlerError> {
                exports::user_create::<#store>(&user, unique_email)
            }
            fn update(id: String, changes: Vec<u8>) -> Result<Option<Vec<u8>>, types::HandlerError> {
                exports::user_update::<#store>(&id, &changes)
            }
            fn spend_recovery_code(id: String, code_hash: String) -> Result<bool, types::HandlerError> {
                exports::user_spend_recovery_code::<#store>(&id, &code_hash)
            }
            fn delete(id: String) -> Result<bool, types::HandlerError> {
                exports::user_delete::<#store>(&id)
            }
        }
        bindings::user_store::export_user_store!(
            Component with_types_in ::luckystack::__private::bindings::user_store
        );
    }
}

fn error_formatter_export() -> TokenStream {
    quote! {
        impl bindings::error_formatter::exports::luckystack::plugin::error_formatter::Guest for Component {
            fn format(
                route: String,
                transport: types::Transport,
                user_id: Option<String>,
                envelope: Vec<u8>,
            ) -> Option<Vec<u8>> {
                exports::format(&PLUGIN, route, transport, user_id, &envelope)
            }
        }
        bindings::error_formatter::export_error_formatter!(
            Component with_types_in ::luckystack::__private::bindings::error_formatter
        );
    }
}
