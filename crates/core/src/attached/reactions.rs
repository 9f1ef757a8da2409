//! Reactions: what people put under a message.

use teahouse_proto::error::ErrorCode;

/// Different reactions to one message.
const REACTIONS_MAX: usize = 10;
/// Users who give one reaction to one message.
pub(crate) const USERS_MAX: usize = 100;

/// Whether a reaction is given or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum React {
    Add,
    Remove,
}

/// A reaction to a message as it is stored.
pub(crate) trait Reaction: Clone {
    /// How its users are told apart.
    type User: ?Sized;

    /// One that nobody gives yet.
    fn new(name: &str) -> Self;
    fn name(&self) -> &str;
    fn is_given_by(&self, user: &Self::User) -> bool;
    fn set(&mut self, user: &Self::User, gives: bool);
    /// How many give it.
    fn users(&self) -> usize;
}

/// Somebody gives one of the reactions to a message, or takes it back; what the reaction is then. One that nobody
/// gives any more is gone.
///
/// # Errors
/// `ReactionsFull`, `ReactionUsersFull`, `AlreadyReacted`; `ReactionUnknown`, `NotReacted`.
pub(crate) fn change<R: Reaction>(
    reactions: &mut Vec<R>,
    name: &str,
    user: &R::User,
    react: React,
) -> Result<R, ErrorCode> {
    let place = reactions.iter().position(|reaction| reaction.name() == name);
    let gives = react == React::Add;
    let place = match (place, react) {
        (Some(place), _) => place,
        (None, React::Remove) => return Err(ErrorCode::ReactionUnknown),
        (None, React::Add) if reactions.len() >= REACTIONS_MAX => {
            return Err(ErrorCode::ReactionsFull);
        }
        (None, React::Add) => {
            reactions.push(R::new(name));
            reactions.len() - 1
        }
    };
    let reaction = &mut reactions[place];
    if reaction.is_given_by(user) == gives {
        return Err(if gives { ErrorCode::AlreadyReacted } else { ErrorCode::NotReacted });
    }
    if gives && reaction.users() >= USERS_MAX {
        return Err(ErrorCode::ReactionUsersFull);
    }
    reaction.set(user, gives);
    let reaction = reaction.clone();
    if reaction.users() == 0 {
        reactions.remove(place);
    }
    Ok(reaction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Given(String, Vec<u32>);

    impl Reaction for Given {
        type User = u32;

        fn new(name: &str) -> Self {
            Self(name.to_owned(), Vec::new())
        }
        fn name(&self) -> &str {
            &self.0
        }
        fn is_given_by(&self, user: &u32) -> bool {
            self.1.contains(user)
        }
        fn set(&mut self, user: &u32, gives: bool) {
            match gives {
                true => self.1.push(*user),
                false => self.1.retain(|other| other != user),
            }
        }
        fn users(&self) -> usize {
            self.1.len()
        }
    }

    fn given(users: &[u32]) -> Result<Given, ErrorCode> {
        Ok(Given("a".to_owned(), users.to_vec()))
    }

    #[test]
    fn a_reaction_is_given_once_a_user_and_goes_with_the_last_who_gives_it() {
        let mut all = Vec::new();
        assert_eq!(change(&mut all, "a", &1, React::Remove), Err(ErrorCode::ReactionUnknown));
        assert_eq!(change(&mut all, "a", &1, React::Add), given(&[1]));
        assert_eq!(change(&mut all, "a", &1, React::Add), Err(ErrorCode::AlreadyReacted));
        assert_eq!(change(&mut all, "a", &2, React::Remove), Err(ErrorCode::NotReacted));
        assert_eq!(change(&mut all, "a", &2, React::Add), given(&[1, 2]));
        assert_eq!(change(&mut all, "a", &1, React::Remove), given(&[2]));
        assert_eq!(change(&mut all, "a", &2, React::Remove), given(&[]));
        assert_eq!(all, Vec::<Given>::new());
    }

    #[test]
    fn a_message_has_ten_different_reactions_at_most() {
        let mut all: Vec<Given> = Vec::new();
        for number in 0..REACTIONS_MAX {
            assert!(change(&mut all, &number.to_string(), &1, React::Add).is_ok());
        }
        assert_eq!(change(&mut all, "one more", &2, React::Add), Err(ErrorCode::ReactionsFull));
        assert!(change(&mut all, "0", &2, React::Add).is_ok(), "one that is there is not one more");
        assert!(change(&mut all, "1", &1, React::Remove).is_ok());
        assert!(change(&mut all, "one more", &2, React::Add).is_ok());
    }

    #[test]
    fn a_reaction_has_a_hundred_users_at_most() {
        let mut all: Vec<Given> = Vec::new();
        for user in 1..=100 {
            assert!(change(&mut all, "a", &user, React::Add).is_ok());
        }
        assert_eq!(change(&mut all, "a", &101, React::Add), Err(ErrorCode::ReactionUsersFull));
        assert_eq!(change(&mut all, "a", &100, React::Add), Err(ErrorCode::AlreadyReacted));
        assert!(change(&mut all, "a", &1, React::Remove).is_ok());
        assert!(change(&mut all, "a", &101, React::Add).is_ok());
    }
}
