//! Who is in a group. Several may change one group at once and none of them is lost, also where another process writes
//! the same group.

use crate::auth::accounts::commit::{self, TRIES};
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::group::{Group, MEMBERS_BYTES_MAX, MEMBERS_MAX, Member};
use crate::auth::error::{Error, Result};

/// Puts somebody into a group; nothing changes if they are in it.
pub async fn add(directory: &Directory, group: &str, member: &Member) -> Result<()> {
    change(directory, group, |members| {
        if members.contains(member) {
            return Ok(false);
        }
        members.push(member.clone());
        let bytes: usize = members.iter().map(|member| member.to_string().len() + 3).sum();
        if members.len() > MEMBERS_MAX || bytes > MEMBERS_BYTES_MAX {
            return Err(Error::Refused("the group is full".into()));
        }
        Ok(true)
    })
    .await
}

/// Takes somebody out of a group.
pub async fn remove(directory: &Directory, group: &str, member: &Member) -> Result<()> {
    change(directory, group, |members| {
        let before = members.len();
        members.retain(|other| other != member);
        if members.len() == before { Err(Error::Absent("member")) } else { Ok(true) }
    })
    .await
}

async fn change(
    directory: &Directory,
    name: &str,
    edit: impl Fn(&mut Vec<Member>) -> Result<bool> + Send + Sync,
) -> Result<()> {
    let _alone = directory.locks.group(name).await;
    for _ in 0..TRIES {
        let found = directory.current::<Group>(name).await?;
        let (mut group, seen) = found.filter(|(group, _)| !group.removing).ok_or(Error::Absent("group"))?;
        if !edit(&mut group.members)? {
            return Ok(());
        }
        group.changed = directory.clock.unix_secs();
        match commit::put(directory, &group, seen).await {
            Err(Error::Stale) => {}
            other => return other,
        }
    }
    Err(Error::Stale)
}
