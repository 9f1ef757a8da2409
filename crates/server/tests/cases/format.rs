//! The files of `spec/cases`, as `spec/README.md` describes them: reads them and fills in their
//! defaults. Knows nothing of servers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Where the caller finds a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Face {
    Rest,
    Gateway,
}

/// One case with the defaults of its file filled in.
#[derive(Debug)]
pub(crate) struct Case {
    /// Relative to `spec/cases`, for people.
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) given: Vec<Step>,
    /// JSON text merged into the body.
    pub(crate) change: Option<String>,
    pub(crate) call: Call,
}

/// What happens before the call of a case; the names of steps are resolved.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Call(Box<Call>),
    With { step: Box<Step>, with: Map<String, Value> },
    Login(Login),
    Logout(Logout),
    Set(String),
    Admin(String),
}

/// One call and what its reply must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Call {
    /// `service/command`; never empty once a file is read.
    #[serde(rename = "call")]
    pub(crate) operation: String,
    pub(crate) face: Option<Face>,
    #[serde(rename = "as")]
    pub(crate) caller: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) login: Option<bool>,
    /// A string is JSON text, everything else is the body itself.
    pub(crate) body: Option<Value>,
    /// Likewise.
    pub(crate) reply: Option<Value>,
    pub(crate) error: Option<i64>,
    pub(crate) eventually: bool,
    pub(crate) query: Map<String, Value>,
    pub(crate) without: Vec<String>,
    pub(crate) sign: Sign,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) head: Map<String, Value>,
    /// Name of the token to the path of the field.
    pub(crate) save: BTreeMap<String, String>,
    pub(crate) times: Option<u32>,
}

impl Call {
    pub(crate) fn face(&self) -> Face {
        self.face.unwrap_or(Face::Rest)
    }
}

/// How a signature differs from a good one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sign {
    pub(crate) user: Option<String>,
    pub(crate) app: Option<u32>,
    pub(crate) key: Option<String>,
    pub(crate) issued_s: i64,
    pub(crate) expire_s: Option<u64>,
    pub(crate) userbuf: Option<String>,
    pub(crate) cut: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[serde(rename = "login")]
    pub(crate) user: String,
    pub(crate) device: Option<String>,
    pub(crate) platform: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logout {
    #[serde(rename = "logout")]
    pub(crate) user: String,
    pub(crate) device: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    operation: String,
    face: Option<Face>,
    #[serde(rename = "as")]
    caller: Option<String>,
    body: Option<Value>,
    #[serde(default)]
    given: Vec<Value>,
    login: Option<bool>,
    #[serde(default)]
    step: BTreeMap<String, Value>,
    #[serde(default)]
    case: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedStep {
    step: String,
    #[serde(default)]
    with: Map<String, Value>,
}

/// All cases below `directory`, by file name; every mistake in them is reported at once.
pub(crate) fn read_all(directory: &Path) -> Result<Vec<Case>, Vec<String>> {
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for path in toml_files(directory) {
        let name = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match text.and_then(|text| read_file(&name, &text)) {
            Ok(read) => cases.extend(read),
            Err(mistake) => mistakes.push(format!("{name}: {mistake}")),
        }
    }
    if mistakes.is_empty() { Ok(cases) } else { Err(mistakes) }
}

fn toml_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            files.extend(toml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read_file(name: &str, text: &str) -> Result<Vec<Case>, String> {
    let file: FileText = toml::from_str(text).map_err(|error| error.to_string())?;
    let given = steps(&file.given, &file.step)?;
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for table in &file.case {
        let case = read_case(name, &file, &given, table.clone())?;
        if !names.insert(case.name.clone()) {
            return Err(format!("two cases are called {:?}", case.name));
        }
        cases.push(case);
    }
    Ok(cases)
}

fn read_case(
    file_name: &str,
    file: &FileText,
    file_given: &[Step],
    mut table: Map<String, Value>,
) -> Result<Case, String> {
    let name: String = take(&mut table, "name")?.ok_or("a case has no name")?;
    let in_case = |mistake: String| format!("case {name:?}: {mistake}");
    let own: Vec<Value> = take(&mut table, "given").map_err(in_case)?.unwrap_or_default();
    let change = take(&mut table, "change").map_err(in_case)?;
    let mut call: Call = from_value(Value::Object(table)).map_err(in_case)?;
    if !call.save.is_empty() || call.times.is_some() {
        return Err(in_case("save and times belong to steps".to_owned()));
    }
    if call.operation.is_empty() {
        call.operation.clone_from(&file.operation);
    }
    call.face = call.face.or(file.face);
    call.caller = call.caller.or_else(|| file.caller.clone());
    call.body = call.body.or_else(|| file.body.clone());
    call.login = call.login.or(file.login);
    check(&call).map_err(in_case)?;
    let mut given = file_given.to_vec();
    given.extend(steps(&own, &file.step).map_err(in_case)?);
    Ok(Case { file: file_name.to_owned(), name, given, change, call })
}

fn take<T: DeserializeOwned>(
    table: &mut Map<String, Value>,
    key: &str,
) -> Result<Option<T>, String> {
    table.remove(key).map(|value| from_value(value).map_err(|e| format!("{key}: {e}"))).transpose()
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn check(call: &Call) -> Result<(), String> {
    if call.face() == Face::Gateway && call.caller.is_none() {
        return Err(format!("{}: a call on the gateway needs `as`", call.operation));
    }
    Ok(())
}

pub(crate) fn steps(list: &[Value], named: &BTreeMap<String, Value>) -> Result<Vec<Step>, String> {
    list.iter().map(|value| step(value, named, NESTED_STEPS_MAX)).collect()
}

/// A step that names a step that names a step … ends here, so that a circle is a mistake.
const NESTED_STEPS_MAX: u32 = 8;

fn step(value: &Value, named: &BTreeMap<String, Value>, depth: u32) -> Result<Step, String> {
    let find = |name: &str| {
        let value = named.get(name).ok_or_else(|| format!("there is no step {name:?}"))?;
        let depth = depth.checked_sub(1).ok_or_else(|| format!("step {name:?} names itself"))?;
        step(value, named, depth).map_err(|mistake| format!("step {name:?}: {mistake}"))
    };
    if let Value::String(name) = value {
        return find(name);
    }
    let text =
        |key: &str| value[key].as_str().map(str::to_owned).ok_or(format!("{key} is no text"));
    let has = |key: &str| value.get(key).is_some();
    if has("call") {
        let call: Call = from_value(value.clone())?;
        check(&call)?;
        Ok(Step::Call(Box::new(call)))
    } else if has("step") {
        let NamedStep { step, with } = from_value(value.clone())?;
        Ok(Step::With { step: Box::new(find(&step)?), with })
    } else if has("login") {
        from_value(value.clone()).map(Step::Login)
    } else if has("logout") {
        from_value(value.clone()).map(Step::Logout)
    } else if has("set") {
        text("set").map(Step::Set)
    } else if has("admin") {
        text("admin").map(Step::Admin)
    } else {
        Err(format!("{value} is no step"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        operation = "openim/sendmsg"
        face = "gateway"
        as = "alice"
        given = ["bob"]
        body = '{"To_Account":"bob"}'

        [step.bob]
        call = "im_open_login_svc/account_import"
        body = { UserID = "bob" }
    "#;

    fn read(cases: &str) -> Result<Vec<Case>, String> {
        read_file("c2c/sendmsg.toml", &format!("{FILE}{cases}"))
    }

    #[test]
    fn a_case_takes_over_what_its_file_says() {
        let cases = read("[[case]]\nname = 'plain'\nerror = 90003\n").unwrap();
        let call = &cases[0].call;
        assert_eq!((call.operation.as_str(), call.face()), ("openim/sendmsg", Face::Gateway));
        assert_eq!((call.caller.as_deref(), call.error), (Some("alice"), Some(90003)));
        assert_eq!(call.body, Some(Value::from(r#"{"To_Account":"bob"}"#)));
        assert_eq!(cases[0].given.len(), 1);
    }

    #[test]
    fn a_case_may_say_it_otherwise_and_a_step_takes_nothing_over() {
        let cases = read(
            "[[case]]\nname = 'other'\nface = 'rest'\nas = 'admin'\ngiven = [{ set = 'a=1' }]\n",
        )
        .unwrap();
        assert_eq!(cases[0].call.face(), Face::Rest);
        assert_eq!(cases[0].call.caller.as_deref(), Some("admin"));
        let [Step::Call(step), Step::Set(setting)] = &cases[0].given[..] else {
            panic!("the steps of the file come first: {:?}", cases[0].given)
        };
        assert_eq!((step.face(), step.caller.as_deref()), (Face::Rest, None));
        assert_eq!(setting, "a=1");
    }

    #[test]
    fn mistakes_name_their_case() {
        for (case, mistake) in [
            ("name = 'x'\nrepyl = {}", "unknown field `repyl`"),
            ("name = 'x'\ngiven = ['nobody']", "there is no step"),
            ("name = 'x'\ngiven = [{ sleep = 1 }]", "is no step"),
            ("name = 'x'\ntimes = 2", "save and times belong to steps"),
            ("name = 'x'\nface = 'mail'", "unknown variant `mail`"),
            ("name = 'x'\n[[case]]\nname = 'x'", "two cases are called"),
        ] {
            let error = read(&format!("[[case]]\n{case}\n")).expect_err(mistake);
            assert!(error.contains(mistake) && error.contains("\"x\""), "{error}");
        }
        assert!(read("[[case]]\nerror = 1\n").expect_err("no name").contains("no name"));
    }

    #[test]
    fn steps_that_name_each_other_in_a_circle_are_refused() {
        let circle =
            "[step.a]\nstep = 'b'\n[step.b]\nstep = 'a'\n[[case]]\nname = 'x'\ngiven = ['a']\n";
        assert!(read(circle).expect_err("a circle").contains("names itself"));
    }
}
