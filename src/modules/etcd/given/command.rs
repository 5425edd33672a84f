//! Where the flags of a command stand: in its own words, or in the values of variables that are put into it.

use crate::etcd::{By, Flags, Said, Shape, Spoken, spoken};
use crate::remote::{Expanded, expanded, pieces, split_variable, variables_in, whole_variable};

use super::{Given, Parts, Set, Stands};

impl Given {
    /// The flags, and where each stands.
    pub(super) fn of_command(&self, parts: &Parts) -> Vec<(Said, Stands)> {
        let words = expanded(&parts.command, &parts.environment).value;
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        let flags = Flags::from_process(&texts, &parts.environment);
        let mut all = Vec::new();
        for option in spoken(&texts) {
            let (Some(first), Some(last)) = (words.get(option.first), words.get(option.last)) else { continue };
            let stands = self.flag(parts, &words, (&option, &flags), first, last).unwrap_or_else(Stands::Fixed);
            let written = parts.command.get(first.word..=last.word).unwrap_or_default();
            let uses = written.iter().flat_map(|word| variables_in(word)).collect();
            all.push((Said { name: option.name, value: option.value, by: By::Flag, uses, shape: Shape::Text }, stands));
        }
        all
    }

    /// Where a flag stands that is made of those words, or why it is not edited there.
    fn flag(
        &self,
        parts: &Parts,
        words: &[Expanded],
        (option, flags): (&Spoken, &Flags),
        first: &Expanded,
        last: &Expanded,
    ) -> Result<Stands, String> {
        let written = |word: &Expanded| parts.command.get(word.word).map(String::as_str).unwrap_or_default();
        let head = written(first);
        let elsewhere = || format!("`{head}` in ExecStart, which takes it from a variable");
        if let Some(name) = split_variable(head) {
            let (Some(from), Some(to), true) = (first.piece, last.piece, first.word == last.word) else {
                return Err(format!("`{head}` in ExecStart, which ends with its name, and its value stands behind it"));
            };
            let set = self.in_variable(parts, name, (option, flags))?;
            return Ok(Stands::Pieces(set, from, to));
        }
        // A value that is one of several words which are all put in for one.
        if words.iter().filter(|word| word.word == last.word).count() != 1 {
            return Err(format!("`{}` in ExecStart, which begins with its value", written(last)));
        }
        if let Some(name) = whole_variable(head) {
            let set = self.in_variable(parts, name, (option, flags))?;
            return Ok(Stands::Whole(set, first.word, last.word));
        }
        if head.trim_start_matches('-').split('=').next() != Some(option.name.as_str()) {
            return Err(elsewhere());
        }
        match &parts.service {
            Some(service) => self.in_unit(service.command_places().first().map(|place| place.file))?,
            None => return Err(self.not_understood()),
        }
        Ok(Stands::Words(first.word, last.word))
    }

    /// Where the value of a variable stands that is in force, if it is used for nothing but these flags: what `Environment=` says last,
    /// and over it what the last of the environment files does (systemd.exec(5), `EnvironmentFile=`).
    fn in_variable(&self, parts: &Parts, name: &str, (option, flags): (&Spoken, &Flags)) -> Result<Set, String> {
        let of_command = parts.command.iter().flat_map(|word| variables_in(word)).filter(|used| used == name).count();
        if of_command != 1 {
            return Err(format!("{name}, which is put into ExecStart more than once"));
        }
        if self.used_elsewhere.iter().any(|used| used == name) {
            return Err(format!("{name}, which another command of the unit may use too"));
        }
        // Else something takes the variable away or sets it behind the files: `UnsetEnvironment=`, or a change that was not restarted with.
        if !self.running.is_spoken(&option.name) || self.running.get(&option.name) != flags.get(&option.name) {
            return Err(format!("{name}, and the process was not started with what is set there"));
        }
        for (file, (place, sets)) in self.environment_files.iter().zip(&parts.assignments).enumerate().rev() {
            let Some(number) = sets.iter().rposition(|set| set.name == name) else { continue };
            if let Some(why) = place.not_edited() {
                return Err(why);
            }
            let value = sets.get(number).map(|set| set.value.as_str()).unwrap_or_default();
            let unclear = pieces(value).unclear.map(|why| format!("{}: {name}: {why}", place.path));
            return unclear.map_or(Ok(Set::Line(file, number)), Err);
        }
        let service = parts.service.as_ref().ok_or_else(|| self.not_understood())?;
        let number = service.environment().iter().rposition(|(set, _)| set == name);
        let number = number.ok_or_else(|| format!("{name}, which no file sets"))?;
        self.in_unit(service.environment_places().get(number).map(|place| place.file))?;
        let value = service.environment().get(number).map(|(_, value)| value.as_str()).unwrap_or_default();
        pieces(value).unclear.map_or(Ok(Set::Setting(number)), |why| Err(format!("{name}: {why}")))
    }
}
