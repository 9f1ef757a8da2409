//! Message archives: files that the service makes for each hour, of all one-to-one or all group messages, and that
//! keep what its history has forgotten.
//!
//! A file is JSON in lines, as it comes (gzip) or unpacked: a head, one message a line, an end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use crate::Migration;
use crate::error::MigrateError;
use crate::journal::{Record, sorted};
use crate::read::{Group, GroupMessage, PairMessage};

/// A message has at most some 12 KiB; nothing else in a line is long.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// What the first line says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Head {
    chat_type: ChatType,
    /// `yyyymmddhh`.
    msg_time: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum ChatType {
    C2C,
    Group,
}

/// The messages of a group, by number.
type OfGroup = BTreeMap<u64, GroupMessage>;

/// The group that a line names.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    group_id: String,
}

/// Messages of one file, by conversation; one-to-one messages in the order of the file.
#[derive(Default)]
struct Archive {
    pairs: BTreeMap<(String, String), Vec<PairMessage>>,
    groups: BTreeMap<String, OfGroup>,
}

/// The files that paths name, folders with all that is in them, in the order of their hours.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, MigrateError> {
    let failed = |path: &Path| MigrateError::io(format!("read {}", path.display()));
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(failed(path))? {
                files.push(entry.map_err(failed(path))?.path());
            }
        } else {
            files.push(path.clone());
        }
    }
    let hours: Result<Vec<(String, PathBuf)>, MigrateError> =
        files.into_iter().map(|file| Ok((Lines::open(&file)?.head.msg_time, file))).collect();
    let mut hours = hours?;
    hours.sort();
    Ok(hours.into_iter().map(|(_, file)| file).collect())
}

/// The lines of a file behind its head.
struct Lines {
    path: PathBuf,
    reader: BufReader<Box<dyn Read>>,
    number: usize,
    head: Head,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, MigrateError> {
        let failed = || MigrateError::io(format!("read {}", path.display()));
        let mut file = BufReader::new(File::open(path).map_err(failed())?);
        let is_packed = file.fill_buf().map_err(failed())?.starts_with(&[0x1f, 0x8b]);
        let content: Box<dyn Read> =
            if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut reader = BufReader::new(content);
        let first = next_line(path, &mut reader)?.unwrap_or_default();
        // The head opens the list whose elements are the other lines.
        let head =
            serde_json::from_str(&format!("{}]}}", first.trim_end())).map_err(|problem| {
                malformed(path, 1, &format!("this is not the head of an archive: {problem}"))
            })?;
        Ok(Self { path: path.to_owned(), reader, number: 1, head })
    }

    /// The next message, as JSON; nothing at the end.
    fn next(&mut self) -> Result<Option<String>, MigrateError> {
        loop {
            let line = next_line(&self.path, &mut self.reader)?;
            self.number += 1;
            let Some(line) = line else {
                return Err(malformed(
                    &self.path,
                    self.number,
                    "the end of the archive is missing",
                ));
            };
            match line.trim().trim_end_matches(',') {
                "]}" => return Ok(None),
                "" => {}
                message => return Ok(Some(message.to_owned())),
            }
        }
    }
}

fn next_line(
    path: &Path,
    reader: &mut BufReader<Box<dyn Read>>,
) -> Result<Option<String>, MigrateError> {
    let mut line = String::new();
    let read = reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
    let read = read.map_err(MigrateError::io(format!("read {}", path.display())))?;
    Ok((read > 0).then_some(line))
}

fn malformed(path: &Path, line: usize, problem: &str) -> MigrateError {
    MigrateError::Malformed(format!("{}, line {line}: {problem}", path.display()))
}

impl Archive {
    fn read(path: &Path) -> Result<Self, MigrateError> {
        let mut lines = Lines::open(path)?;
        let mut archive = Self::default();
        while let Some(line) = lines.next()? {
            let number = lines.number;
            let problem =
                |problem: serde_json::Error| malformed(path, number, &problem.to_string());
            match lines.head.chat_type {
                ChatType::C2C => {
                    let message: PairMessage = serde_json::from_str(&line).map_err(problem)?;
                    let pair = sorted(&message.from, &message.to);
                    archive.pairs.entry(pair).or_default().push(message);
                }
                ChatType::Group => {
                    let message: GroupMessage = serde_json::from_str(&line).map_err(problem)?;
                    let Named { group_id } = serde_json::from_str(&line).map_err(problem)?;
                    archive.groups.entry(group_id).or_default().insert(message.msg_seq, message);
                }
            }
        }
        Ok(archive)
    }
}

impl Migration {
    /// The messages of archives, from the oldest hour on. Groups take messages in their order, so this comes before
    /// what is in their history only.
    pub(crate) async fn archives(
        &self,
        paths: &[PathBuf],
        groups: &[Group],
    ) -> Result<(), MigrateError> {
        let groups: BTreeMap<&str, &Group> =
            groups.iter().map(|group| (group.group_id.as_str(), group)).collect();
        for path in files(paths)? {
            let name = path.display().to_string();
            if self.journal.has_archive(&name) {
                continue;
            }
            let archive = Archive::read(&path)?;
            type OfPair = ((String, String), Vec<PairMessage>);
            let pairs = archive.pairs.into_iter().collect();
            self.in_parallel(pairs, async |((one, other), messages): OfPair| {
                self.ensure([one.as_str(), other.as_str()]).await?;
                for message in messages {
                    self.carry(message).await?;
                }
                Ok(())
            })
            .await?;
            let of_groups = archive.groups.into_iter().collect();
            self.in_parallel(of_groups, async |(id, messages): (String, OfGroup)| {
                let Some(group) = groups.get(id.as_str()) else {
                    let reason = "archived messages of groups that are gone";
                    self.report.leave_out(messages.len() as u64, reason, id);
                    return Ok(());
                };
                let last = messages.last_key_value().map_or(0, |(seq, _)| *seq);
                self.history(group, last, messages).await
            })
            .await?;
            self.journal.note(Record::Archive(name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const GROUP: &str = concat!(
        r#"{"SdkAppId":1,"ChatType":"Group","MsgTime":"2026112109","MsgList":["#,
        "\n",
        r#"{"From_Account":"ann","GroupId":"tea","MsgTimestamp":200,"MsgSeq":2,"MsgBody":[]},"#,
        "\n",
        r#"{"From_Account":"ben","GroupId":"tea","MsgTimestamp":100,"MsgSeq":1,"MsgBody":[]}"#,
        "\n",
        "]}\n",
    );
    const C2C: &str = concat!(
        r#"{"SdkAppId":1,"ChatType":"C2C","MsgTime":"2026112108","MsgList":["#,
        "\n",
        r#"{"From_Account":"ben","To_Account":"ann","MsgTimestamp":100,"MsgSeq":1,"MsgRandom":5,"#,
        r#""MsgBody":[]}"#,
        "\n",
        "]}",
    );

    fn write(folder: &Path, name: &str, text: &str, packed: bool) -> PathBuf {
        let path = folder.join(name);
        let file = File::create(&path).unwrap();
        if packed {
            let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            file.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap();
        } else {
            (&file).write_all(text.as_bytes()).unwrap();
        }
        path
    }

    #[test]
    fn packed_and_unpacked_files_are_read_in_the_order_of_their_hours() {
        let folder = tempfile::tempdir().unwrap();
        let later = write(folder.path(), "a.gz", GROUP, true);
        let earlier = write(folder.path(), "b.json", C2C, false);
        assert_eq!(files(&[folder.path().to_owned()]).unwrap(), [earlier.clone(), later.clone()]);
        let archive = Archive::read(&later).unwrap();
        let times: Vec<u32> = archive.groups["tea"].values().map(|said| said.time).collect();
        assert_eq!(times, [100, 200], "in their order");
        let archive = Archive::read(&earlier).unwrap();
        assert_eq!(archive.pairs[&sorted("ann", "ben")][0].key(), (100, 1, 5));
    }

    #[test]
    fn what_is_no_archive_or_only_a_part_of_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let cut = &C2C[..C2C.len() - 2];
        let wrong = C2C.replace("\"MsgRandom\":5", "\"MsgRandom\":\"tea\"");
        for (name, text) in [("empty", ""), ("other", "{}\n"), ("cut", cut), ("wrong", &wrong)] {
            let path = write(folder.path(), name, text, false);
            let problem = Archive::read(&path).err().map(|problem| problem.to_string());
            assert!(problem.is_some_and(|problem| problem.contains(", line ")), "{name}");
        }
    }
}
