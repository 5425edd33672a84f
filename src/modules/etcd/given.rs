//! Where the options of a member stand on its host, and the texts in which they are said otherwise. Texts in, texts out: what is on the
//! host is read by `rewriting.rs`.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use crate::etcd::{
    Becomes, By, ENABLE_V2, Flags, Key, Rewrite, Rules, Said, Shape, option_of_variable, rewrite, serves_v2_if_told,
    variable_of_option,
};
use crate::remote::{Assignment, RemotePath, ServiceText, Specifiers, assignments_of, with_variables};

use super::config_file::{self, KeyPlace};
use edits::{Edits, NotEdited};
use told::{name, words};
use vendors::Settings;

mod command;
mod edits;
mod told;
mod vendors;

pub(super) use vendors::DROP_IN;

/// A file in which options may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: RemotePath,
    pub(super) text: String,
    /// Why it is not edited, if so.
    pub(super) fixed: Option<String>,
    /// Whether it is the vendor's: what it says is said anew in a drop-in.
    pub(super) vendors: bool,
}

/// All with which a unit starts its etcd.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// The unit's file and its drop-ins, in their order; or why their texts are not understood for sure.
    pub(super) units: Result<Vec<File>, String>,
    /// The environment files, in their order.
    pub(super) environment_files: Vec<File>,
    /// The variables that commands of the unit beside the one that starts etcd may use.
    pub(super) used_elsewhere: Vec<String>,
    /// The drop-in in which a vendor's settings are said anew; or why there can be none.
    pub(super) drop_in: Result<RemotePath, String>,
    /// What specifiers stand for in the unit's files.
    pub(super) specifiers: Specifiers,
    /// The configuration file that takes the place of flags and variables, if one is named.
    pub(super) config: Option<File>,
    /// What systemd says of the command and of `Environment=`, for where the texts are not understood.
    pub(super) of_systemd: (Vec<String>, Vec<(String, String)>),
    /// With what the process runs.
    pub(super) running: Flags,
}

/// Where an option stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// In those words of the command, from the first to the last.
    Words(usize, usize),
    /// In those pieces of the value of a variable that is put into the command as `$NAME`, from the first to the last.
    Pieces(Set, usize, usize),
    /// In the value of a variable that is put in as `${NAME}`, which is the first of those words of the command.
    Whole(Set, usize, usize),
    /// In that variable's own name and value.
    Variable(Set),
    /// In that key of the configuration file.
    Key(usize),
    /// Where it is not edited: why.
    Fixed(String),
}

/// Where a variable is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    /// In that word of `Environment=`.
    Setting(usize),
    /// In that assignment of that environment file.
    Line(usize, usize),
}

/// What a version makes of it.
pub(super) struct Rewritten {
    pub(super) given: Given,
    /// What is said otherwise and where, a line each.
    pub(super) lines: Vec<String>,
    /// What a version passes over and could not be taken away.
    pub(super) left: Vec<String>,
    /// What stands in the way: the option that it is about, and the words.
    pub(super) faults: Vec<(String, String)>,
}

/// The texts, read.
struct Parts {
    service: Option<ServiceText>,
    /// The words of the command as they are written, quotes undone.
    command: Vec<String>,
    settings: Vec<(String, String)>,
    assignments: Vec<Vec<Assignment>>,
    environment: BTreeMap<String, String>,
    keys: Vec<KeyPlace>,
}

impl File {
    /// Why no line of it is edited, where it is an environment file: what is unclear in one line may be about the next.
    fn not_edited(&self) -> Option<String> {
        let why = self.fixed.clone().or_else(|| assignments_of(&self.text).unclear);
        why.map(|why| format!("{}: {why}", self.path))
    }
}

impl Given {
    fn parts(&self) -> Parts {
        let service = self.units.as_ref().ok().and_then(|files| {
            let mut service = ServiceText::of(self.specifiers.clone());
            files.iter().try_for_each(|file| service.read(&file.text)).ok().map(|()| service)
        });
        let of_text =
            service.as_ref().and_then(|text| Some((text.command().ok()?.to_vec(), text.environment().to_vec())));
        let service = service.filter(|_| of_text.is_some());
        let (command, settings) = of_text.unwrap_or_else(|| self.of_systemd.clone());
        let assignments: Vec<Vec<Assignment>> =
            self.environment_files.iter().map(|file| assignments_of(&file.text).value).collect();
        let mut environment: BTreeMap<String, String> = settings.iter().cloned().collect();
        for set in assignments.iter().flatten() {
            environment.insert(set.name.clone(), set.value.clone());
        }
        let keys = self.config.as_ref().and_then(|file| config_file::keys(&file.path, &file.text).ok());
        Parts { service, command, settings, assignments, environment, keys: keys.unwrap_or_default() }
    }

    /// The options as the texts say them.
    fn flags(&self) -> Flags {
        let parts = self.parts();
        let words = with_variables(&parts.command, &parts.environment).value;
        let flags = Flags::from_process(&words, &parts.environment);
        match &self.config {
            Some(_) => flags.with_file(parts.keys.into_iter().map(|place| place.key).collect()),
            None => flags,
        }
    }

    /// Every option that is said, and where.
    fn said(&self, parts: &Parts) -> Vec<(Said, Stands)> {
        if let Some(file) = &self.config {
            let key = |(number, place): (usize, &KeyPlace)| {
                let Key { name, value, shape } = place.key.clone();
                let fixed = file.fixed.as_ref().map(|why| Stands::Fixed(format!("{}: {why}", file.path)));
                let said = Said { name, value, by: By::Key, uses: Vec::new(), shape };
                (said, fixed.unwrap_or(Stands::Key(number)))
            };
            return parts.keys.iter().enumerate().map(key).collect();
        }
        let mut all = self.of_command(parts);
        for (number, (name, value)) in parts.settings.iter().enumerate() {
            let stands = match &parts.service {
                Some(service) => self.in_unit(service.environment_places().get(number).map(|place| place.file)),
                None => Err(self.not_understood()),
            };
            let set = |()| Stands::Variable(Set::Setting(number));
            all.extend(variable(name, value, stands.map_or_else(Stands::Fixed, set)));
        }
        for (file, (place, sets)) in self.environment_files.iter().zip(&parts.assignments).enumerate() {
            let fixed = place.not_edited();
            for (number, set) in sets.iter().enumerate() {
                let stands = fixed.clone().map_or(Stands::Variable(Set::Line(file, number)), Stands::Fixed);
                all.extend(variable(&set.name, &set.value, stands));
            }
        }
        self.elsewhere(&mut all);
        all
    }

    /// What the process was started with and no text says.
    fn elsewhere(&self, all: &mut Vec<(Said, Stands)>) {
        let mut more = Vec::new();
        for name in self.running.names() {
            let value = self.running.get(name).unwrap_or_default().to_owned();
            for (by, is) in [(By::Flag, self.running.is_spoken(name)), (By::Variable, self.running.is_variable(name))] {
                if is && !all.iter().any(|(said, _)| said.name == name && said.by == by) {
                    let why = "neither the unit's files nor its environment files; the program that the unit starts, or systemd itself, may add it";
                    // What adds a flag may make it from the variable.
                    let uses = vec![variable_of_option(name)];
                    let said = Said { name: name.to_owned(), value: value.clone(), by, uses, shape: Shape::Text };
                    more.push((said, Stands::Fixed(why.to_owned())));
                }
            }
        }
        all.extend(more);
    }

    fn not_understood(&self) -> String {
        match &self.units {
            Err(why) => why.clone(),
            Ok(_) => "the unit's files, which are not understood for sure".to_owned(),
        }
    }

    fn in_unit(&self, file: Option<usize>) -> Result<(), String> {
        let files = self.units.as_deref().map_err(Clone::clone)?;
        match (file.and_then(|file| files.get(file)), &self.drop_in) {
            (Some(File { path, fixed: Some(why), .. }), _) => Err(format!("{path}: {why}")),
            (Some(File { path, vendors: true, .. }), Err(why)) => Err(format!("{path}: it is the vendor's, and {why}")),
            (Some(_), _) => Ok(()),
            (None, _) => Err(self.not_understood()),
        }
    }

    /// The texts with which a version is started; with `keep_v2`, so that it serves the v2 API if it can.
    pub(super) fn rewritten(&self, rules: &Rules, target: &Version, keep_v2: bool) -> Rewritten {
        let mut vendors = BTreeSet::new();
        let rewritten = self.rewritten_in_place(rules, target, keep_v2, &mut vendors);
        match vendors.is_empty() {
            true => rewritten,
            // Said anew, they are edited where they are said then.
            false => self.with_drop_in(&vendors).rewritten_in_place(rules, target, keep_v2, &mut vendors),
        }
    }

    /// The same where each stands, with the settings of vendor's files in which one would have to be edited.
    fn rewritten_in_place(
        &self,
        rules: &Rules,
        target: &Version,
        keep_v2: bool,
        vendors: &mut BTreeSet<Settings>,
    ) -> Rewritten {
        let parts = self.parts();
        let (said, stands): (Vec<Said>, Vec<Stands>) = self.said(&parts).into_iter().unzip();
        let plan = rewrite(&said, rules, target);
        let mut faults: Vec<(String, String)> =
            plan.faults.iter().map(|fault| (fault.subject().to_owned(), fault.to_string())).collect();
        let (mut lines, mut left) = (Vec::new(), Vec::new());
        let mut edits = Edits::default();
        for (which, becomes) in &plan.becomes {
            let Some((said, stands)) = said.get(*which).zip(stands.get(*which)) else { continue };
            let edited = edits.add(self, &parts, said, stands, becomes).map_err(|not| not.words(vendors));
            match edited {
                Ok(path) => lines.push(format!("{path}: {}", words(said, becomes))),
                // A variable that a release does not know it only warns of (etcd v3.7.3 pkg/flags/flag.go, read 2026-11-27).
                Err(why) if said.by == By::Variable && rules.gone(&said.name, target).is_some() => {
                    left.push(format!(
                        "{}, which {target} passes over, is not rewritten; it stands in {why}",
                        name(said)
                    ));
                }
                Err(why) => {
                    let fault =
                        self.running.faults(rules, target).into_iter().find(|fault| fault.subject() == said.name);
                    let fault = fault.map_or_else(|| format!("{} has to go", name(said)), |fault| fault.to_string());
                    let text = format!("{fault}\nquorate does not edit it where it stands: {why}");
                    faults.push((said.name.clone(), text));
                }
            }
        }
        for (name, value) in &plan.added {
            match edits.add_key(self, name, value) {
                Ok(path) => lines.push(format!("{path}: `{name}: {value}` added")),
                Err(why) => {
                    let text = format!("`{name}: {value}` has to stand in {why}; put it there");
                    faults.push((name.clone(), text));
                }
            }
        }
        let (name, value) = ENABLE_V2;
        if keep_v2 && serves_v2_if_told(target) && !said.iter().any(|said| said.name == name) {
            match self.beside(&mut edits, &parts, &plan, (&said, &stands), ENABLE_V2, vendors) {
                Ok(line) => lines.push(line),
                Err(why) => {
                    let text = format!("`{name}={value}` has to be said for the v2 API to go on in {target}; {why}");
                    faults.push((name.to_owned(), text));
                }
            }
        }
        if let Some(file) = &self.config {
            let dropped = plan.dropped.iter();
            left.extend(dropped.map(|name| format!("`{name}` in {}: {target} drops it without a word", file.path)));
        }
        let given = match edits.made(self, &parts) {
            Ok(given) => given,
            Err(why) => {
                faults.push((String::new(), why));
                self.clone()
            }
        };
        let remains =
            given.flags().faults(rules, target).into_iter().chain(self.not_in_texts(rules, target, &said, &stands));
        for fault in remains {
            if !faults.iter().any(|(name, _)| name == fault.subject()) {
                faults.push((fault.subject().to_owned(), fault.to_string()));
            }
        }
        Rewritten { given, lines, left, faults }
    }

    /// Says an option that is not said yet, beside one that stays, in the same way as that one.
    fn beside(
        &self,
        edits: &mut Edits,
        parts: &Parts,
        plan: &Rewrite,
        (said, stands): (&[Said], &[Stands]),
        (name, value): (&str, &str),
        vendors: &mut BTreeSet<Settings>,
    ) -> Result<String, String> {
        if self.config.is_some() {
            let file = edits.add_key(self, name, value).map_err(|file| format!("put it into {file}"))?;
            return Ok(format!("{file}: `{name}: {value}` added"));
        }
        let all = said.iter().zip(stands).enumerate();
        let stays = all.filter(|(which, _)| !plan.becomes.contains_key(which)).map(|(_, option)| option);
        let (mut why, mut of_vendor) = (String::from("put it where the member's options are"), None);
        for (option, stands) in stays {
            let also = Some((name.to_owned(), value.to_owned()));
            let becomes = Becomes::Other { name: option.name.clone(), value: None, also };
            match edits.add(self, parts, option, stands, &becomes) {
                Ok(file) => return Ok(format!("{file}: {}", words(option, &becomes))),
                Err(NotEdited::Vendors(settings, _)) if of_vendor.is_none() => of_vendor = Some(settings),
                Err(not) => {
                    let fixed = not.words(&mut BTreeSet::new());
                    why = format!("put it where the member's options are: quorate does not edit {fixed}");
                }
            }
        }
        vendors.extend(of_vendor);
        Err(why)
    }

    /// Faults of the process that come from no text, and so from none that was edited.
    fn not_in_texts(
        &self,
        rules: &Rules,
        target: &Version,
        said: &[Said],
        stands: &[Stands],
    ) -> Vec<crate::etcd::FlagFault> {
        let fixed = |name: &str| {
            said.iter().zip(stands).any(|(said, stands)| said.name == name && matches!(stands, Stands::Fixed(_)))
        };
        let faults = self.running.faults(rules, target).into_iter();
        faults.filter(|fault| fixed(fault.subject())).collect()
    }

    /// The same for a process that was started with these texts.
    pub(super) fn started_with(mut self) -> Self {
        self.running = self.flags();
        self
    }

    /// The text of one of the files.
    pub(super) fn text(&self, path: &RemotePath) -> Option<&str> {
        let mut files = self.units.iter().flatten().chain(&self.environment_files).chain(&self.config);
        files.find(|file| file.path == *path).map(|file| file.text.as_str())
    }

    /// The files whose texts differ.
    pub(super) fn changed(&self, before: &Self) -> Vec<(RemotePath, String)> {
        let files = self.units.iter().flatten().chain(&self.environment_files).chain(&self.config);
        let differs = files.filter(|now| before.text(&now.path) != Some(now.text.as_str()));
        differs.map(|now| (now.path.clone(), now.text.clone())).collect()
    }
}

fn variable(name: &str, value: &str, stands: Stands) -> Option<(Said, Stands)> {
    let name = option_of_variable(name)?;
    let (value, uses) = (value.to_owned(), Vec::new());
    Some((Said { name, value, by: By::Variable, uses, shape: Shape::Text }, stands))
}

#[cfg(test)]
mod tests;
