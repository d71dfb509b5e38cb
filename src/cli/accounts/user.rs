//! `holdfast user`.

use crate::cli::accounts::api::{Api, Shape, To, made_at, path};
use crate::cli::accounts::password::{PasswordFrom, new_password};
use crate::cli::terminal::Ending;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a user
    Add(Add),
    /// List users
    List {
        /// Only names that hold this
        search: Option<String>,
        /// Where.
        #[command(flatten)]
        to: To,
    },
    /// Show a user
    Show(Named),
    /// Change a user's profile, rights or standing
    Set(Set),
    /// Set a user's password; all of the user's tokens end
    Passwd {
        /// The password.
        #[command(flatten)]
        password: PasswordFrom,
        /// The user.
        #[command(flatten)]
        named: Named,
    },
    /// List a user's tokens
    Tokens(Named),
    /// End all of a user's tokens, or one
    Logout {
        /// The id of the one token to end
        #[arg(long)]
        token: Option<String>,
        /// The user.
        #[command(flatten)]
        named: Named,
    },
    /// Remove a user, with its tokens and grants
    Remove(Named),
}

/// One user. Comes after a command's own flags: the heading of the flags that say where stays for what follows.
#[derive(Debug, Args)]
pub struct Named {
    /// The user's name
    pub name: String,
    /// Where.
    #[command(flatten)]
    pub to: To,
}

/// Flags of `add`.
#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    profile: Profile,
    /// May do everything
    #[arg(long)]
    admin: bool,
    /// Take the name over although another source of users knows it, and shut out whoever has it there
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    password: PasswordFrom,
    #[command(flatten)]
    named: Named,
}

/// Flags of `set`.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    profile: Profile,
    /// May do everything, or not
    #[arg(long)]
    admin: Option<bool>,
    /// May not log in, or may again; the user's tokens end
    #[arg(long)]
    disabled: Option<bool>,
    #[command(flatten)]
    named: Named,
}

/// Who a user is.
#[derive(Debug, Args)]
pub struct Profile {
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// First name
    #[arg(long)]
    first_name: Option<String>,
    /// Last name
    #[arg(long)]
    last_name: Option<String>,
}

impl Profile {
    fn fields(&self) -> Map<String, Value> {
        let fields =
            [("email", &self.email), ("first_name", &self.first_name), ("last_name", &self.last_name)];
        let given =
            fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value.as_ref()?))));
        given.collect()
    }
}

const SHAPE: Shape<6> = Shape([
    ("NAME", "name"),
    ("ADMIN", "admin"),
    ("DISABLED", "disabled"),
    ("FIRST NAME", "first_name"),
    ("LAST NAME", "last_name"),
    ("E-MAIL", "email"),
]);

/// Runs one.
pub fn run(command: &User) -> Result<(), Ending> {
    match command {
        User::Add(add) => {
            let api = Api::open(&add.named.to)?;
            let mut body = add.profile.fields();
            body.insert("name".into(), json!(add.named.name));
            body.insert("admin".into(), json!(add.admin));
            let password = new_password(&add.password)?;
            body.insert("password".into(), json!(password.text()));
            let made =
                api.send(Method::POST, &made_at("/users", add.take_over), Some(&Value::Object(body)))?;
            api.show(&made, &SHAPE)?;
            password.tell_if_made(&add.named.name);
            Ok(())
        }
        User::List { search, to } => Api::open(to)?.list("/users", search.as_deref(), &SHAPE),
        User::Show(named) => Api::open(&named.to)?.get(&path(&["users", &named.name]), &SHAPE),
        User::Set(set) => {
            let mut body = set.profile.fields();
            for (key, value) in [("admin", set.admin), ("disabled", set.disabled)] {
                if let Some(value) = value {
                    body.insert(key.into(), json!(value));
                }
            }
            if body.is_empty() {
                return Err(Ending::Usage(
                    "nothing to change was given; see `holdfast user set --help`".into(),
                ));
            }
            let api = Api::open(&set.named.to)?;
            let changed =
                api.send(Method::PATCH, &path(&["users", &set.named.name]), Some(&Value::Object(body)))?;
            api.show(&changed, &SHAPE)
        }
        User::Passwd { named, password } => {
            let api = Api::open(&named.to)?;
            let password = new_password(password)?;
            let body = json!({ "password": password.text() });
            api.send(Method::PUT, &path(&["users", &named.name, "password"]), Some(&body))?;
            api.done(&format!("the password of {} is set; all of its tokens have ended", named.name))?;
            password.tell_if_made(&named.name);
            Ok(())
        }
        User::Tokens(named) => {
            let api = Api::open(&named.to)?;
            api.get(&path(&["users", &named.name, "tokens"]), &crate::cli::accounts::token::SHAPE)
        }
        User::Logout { named, token } => {
            let api = Api::open(&named.to)?;
            let at = match token {
                Some(id) => path(&["users", &named.name, "tokens", id]),
                None => path(&["users", &named.name, "tokens"]),
            };
            api.send(Method::DELETE, &at, None)?;
            api.done("ended")
        }
        User::Remove(named) => {
            let api = Api::open(&named.to)?;
            api.send(Method::DELETE, &path(&["users", &named.name]), None)?;
            api.done(&format!("{} is removed, with its tokens and grants", named.name))
        }
    }
}
