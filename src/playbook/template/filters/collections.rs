//! Filters on lists and mappings.

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, State};

use super::super::data::map;
use super::{known, wrong};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("combine", combine);
    env.add_filter("dict2items", dict2items);
    env.add_filter("items2dict", items2dict);
    env.add_filter("extract", extract);
    env.add_filter("subelements", subelements);
    env.add_filter("flatten", flatten);
    env.add_filter("product", product);
    env.add_filter("selectattr", |state: &mut State<'_, '_>, items: &Value, how: Rest<Value>| {
        by(state, items, &how, true)
    });
    env.add_filter("rejectattr", |state: &mut State<'_, '_>, items: &Value, how: Rest<Value>| {
        by(state, items, &how, false)
    });
    env.add_filter("sum", sum);
    env.add_filter("_sum", minijinja::filters::sum);
    env.add_filter("difference", |a: &Value, b: &Value| pick(a, b, false));
    env.add_filter("intersect", |a: &Value, b: &Value| pick(a, b, true));
    env.add_filter("union", |a: &Value, b: &Value| {
        let mut all = list(a)?;
        all.extend(list(b)?);
        Ok::<_, Error>(distinct(all))
    });
    env.add_filter("symmetric_difference", |a: &Value, b: &Value| {
        let mut all = pick(a, b, false)?;
        all.extend(pick(b, a, false)?);
        Ok::<_, Error>(all)
    });
}

fn list(value: &Value) -> Result<Vec<Value>, Error> {
    match known(value)?.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value.try_iter()?.collect()),
        kind => Err(wrong(format!("a list is needed, not {kind}"))),
    }
}

/// Each value once, in the order of their first places.
fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

/// The distinct items of `a` that are in `b`, or those that are not.
fn pick(a: &Value, b: &Value, inside: bool) -> Result<Vec<Value>, Error> {
    let b = list(b)?;
    Ok(distinct(list(a)?.into_iter().filter(|item| b.contains(item) == inside).collect()))
}

fn entries(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if known(value)?.kind() != ValueKind::Map {
        return Err(wrong(format!("a mapping is needed, not {}", value.kind())));
    }
    value.try_iter()?.map(|key| value.get_item(&key).map(|item| (key, item))).collect()
}

/// What becomes of two lists under one key: `list_merge=` of `combine`.
#[derive(Clone, Copy, Debug)]
enum Lists {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendNew,
    PrependNew,
}

/// `combine(b, c, recursive=false, list_merge='replace')`: the last one wins.
fn combine(value: &Value, others: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let recursive = options.get::<Option<bool>>("recursive")?.unwrap_or(false);
    let lists = match options.get::<Option<&str>>("list_merge")?.unwrap_or("replace") {
        "replace" => Lists::Replace,
        "keep" => Lists::Keep,
        "append" => Lists::Append,
        "prepend" => Lists::Prepend,
        "append_rp" => Lists::AppendNew,
        "prepend_rp" => Lists::PrependNew,
        _ => return Err(wrong("list_merge is replace, keep, append, prepend, append_rp or prepend_rp")),
    };
    options.assert_all_used()?;
    let mut merged = Vec::new();
    for value in std::iter::once(value).chain(others.iter()) {
        // A list of mappings counts as the mappings one after the other.
        let parts = if known(value)?.kind() == ValueKind::Seq { list(value)? } else { vec![value.clone()] };
        for part in parts {
            merged = merge(merged, entries(&part)?, recursive, lists)?;
        }
    }
    Ok(map(merged))
}

type Entries = Vec<(Value, Value)>;

fn merge(mut low: Entries, high: Entries, recursive: bool, lists: Lists) -> Result<Entries, Error> {
    for (key, value) in high {
        let Some((_, old)) = low.iter_mut().find(|(k, _)| *k == key) else {
            low.push((key, value));
            continue;
        };
        *old = match (old.kind(), value.kind()) {
            (ValueKind::Map, ValueKind::Map) if recursive => {
                map(merge(entries(old)?, entries(&value)?, recursive, lists)?)
            }
            (ValueKind::Seq, ValueKind::Seq) => merge_lists(list(old)?, list(&value)?, lists),
            _ => value,
        };
    }
    Ok(low)
}

fn merge_lists(old: Vec<Value>, new: Vec<Value>, lists: Lists) -> Value {
    let without = |items: Vec<Value>, others: &[Value]| items.into_iter().filter(|i| !others.contains(i)).collect();
    let (mut first, second): (Vec<Value>, Vec<Value>) = match lists {
        Lists::Replace => (new, Vec::new()),
        Lists::Keep => (old, Vec::new()),
        Lists::Append => (old, new),
        Lists::Prepend => (new, old),
        Lists::AppendNew => (without(old, &new), new),
        Lists::PrependNew => {
            let rest = without(old, &new);
            (new, rest)
        }
    };
    first.extend(second);
    Value::from(first)
}

fn names(options: &Kwargs) -> Result<(String, String), Error> {
    let key = options.get::<Option<&str>>("key_name")?.unwrap_or("key").to_owned();
    let value = options.get::<Option<&str>>("value_name")?.unwrap_or("value").to_owned();
    options.assert_all_used()?;
    Ok((key, value))
}

/// `dict2items(key_name='key', value_name='value')`.
fn dict2items(value: &Value, options: Kwargs) -> Result<Vec<Value>, Error> {
    let (key, item) = names(&options)?;
    let pair = |(k, v)| map([(Value::from(key.as_str()), k), (Value::from(item.as_str()), v)]);
    Ok(entries(value)?.into_iter().map(pair).collect())
}

/// `items2dict(key_name='key', value_name='value')`.
fn items2dict(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let (key, item) = names(&options)?;
    let mut found = Vec::new();
    for pair in list(value)? {
        let (k, v) = (pair.get_attr(&key)?, pair.get_attr(&item)?);
        if k.is_undefined() || v.is_undefined() {
            return Err(wrong(format!("items2dict: an item has no `{key}` or no `{item}`")));
        }
        found.push((k, v));
    }
    Ok(map(found))
}

/// `extract(container, more=none)`: what the container has under the value, and under each key of `more` in that; made for
/// `groups['etcd'] | map('extract', hostvars, 'ansible_host')`. What is missing is undefined.
fn extract(key: &Value, container: &Value, more: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let more = more.map_or_else(|| options.get::<Option<Value>>("morekeys"), |m| Ok(Some(m)))?;
    options.assert_all_used()?;
    let mut found = known(container)?.get_item(known(key)?)?;
    let keys = match more {
        None => Vec::new(),
        Some(keys) if keys.kind() == ValueKind::Seq => list(&keys)?,
        Some(key) => vec![key],
    };
    for key in keys {
        found = known(&found)?.get_item(&key)?;
    }
    Ok(found)
}

/// `subelements('a.b', skip_missing=false)`: each item with each entry of its list there.
fn subelements(value: &Value, path: &Value, skip: Option<bool>, options: Kwargs) -> Result<Vec<Value>, Error> {
    let skip = skip.map_or_else(|| options.get::<Option<bool>>("skip_missing"), |s| Ok(Some(s)))?.unwrap_or(false);
    options.assert_all_used()?;
    let items = match known(value)?.kind() {
        ValueKind::Map => entries(value)?.into_iter().map(|(_, item)| item).collect(),
        _ => list(value)?,
    };
    let mut pairs = Vec::new();
    for item in items {
        let inner = at_path(item.clone(), path)?;
        match inner.kind() {
            ValueKind::Undefined if skip => {}
            ValueKind::Seq => pairs.extend(list(&inner)?.into_iter().map(|part| Value::from(vec![item.clone(), part]))),
            _ => return Err(wrong(format!("subelements: `{path}` must be a list in every item"))),
        }
    }
    Ok(pairs)
}

/// `flatten(levels=none, skip_nulls=true)`.
fn flatten(value: &Value, levels: Option<usize>, options: Kwargs) -> Result<Vec<Value>, Error> {
    let levels = levels.map_or_else(|| options.get::<Option<usize>>("levels"), |l| Ok(Some(l)))?.unwrap_or(usize::MAX);
    let skip = options.get::<Option<bool>>("skip_nulls")?.unwrap_or(true);
    options.assert_all_used()?;
    let mut flat = Vec::new();
    flatten_into(&mut flat, list(value)?, levels, skip)?;
    Ok(flat)
}

fn flatten_into(flat: &mut Vec<Value>, items: Vec<Value>, levels: usize, skip: bool) -> Result<(), Error> {
    for item in items {
        match item.kind() {
            ValueKind::None if skip => {}
            ValueKind::Seq if levels > 0 => flatten_into(flat, list(&item)?, levels - 1, skip)?,
            _ => flat.push(item),
        }
    }
    Ok(())
}

/// All pairs, triples, … of one item out of each list.
fn product(state: &State<'_, '_>, value: &Value, others: Rest<Value>) -> Result<Vec<Value>, Error> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for value in std::iter::once(value).chain(others.iter()) {
        let items = list(value)?;
        let size = rows.len().saturating_mul(items.len());
        state.consume_fuel(u64::try_from(size).unwrap_or(u64::MAX))?;
        rows = rows
            .iter()
            .flat_map(|row| items.iter().map(|item| row.iter().cloned().chain([item.clone()]).collect()))
            .collect();
    }
    Ok(rows.into_iter().map(Value::from).collect())
}

/// `sum(attribute=none, start=0)`; an item without the attribute is a fault, where the engine's own would count 0.
fn sum(state: &mut State<'_, '_>, value: &Value, attribute: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let attribute = attribute.map_or_else(|| options.get::<Option<Value>>("attribute"), |a| Ok(Some(a)))?;
    let start = options.get::<Option<Value>>("start")?;
    options.assert_all_used()?;
    let mut items = list(value)?;
    if let Some(path) = attribute.as_ref() {
        items = items.into_iter().map(|item| known(&at_path(item, path)?).cloned()).collect::<Result<_, _>>()?;
    }
    if start.as_ref().is_some_and(|start| start.kind() == ValueKind::Seq) {
        let mut all = Vec::new();
        for part in start.iter().chain(&items) {
            all.extend(list(part)?);
        }
        return Ok(Value::from(all));
    }
    let all: Value = start.into_iter().chain(items).collect();
    state.apply_filter("_sum", &[all])
}

/// `a.b` of an item; any part may be missing.
fn at_path(item: Value, path: &Value) -> Result<Value, Error> {
    let path = path.as_str().map_or_else(|| path.to_string(), str::to_owned);
    let mut value = item;
    for part in path.split('.') {
        if value.is_undefined() {
            break;
        }
        value = match part.parse::<usize>() {
            Ok(index) if value.kind() == ValueKind::Seq => value.get_item_by_index(index)?,
            _ => value.get_attr(part)?,
        };
    }
    Ok(value)
}

/// The items of which an attribute passes a test, or does not. A missing one is a fault, save for `defined` and its like.
fn by(state: &mut State<'_, '_>, items: &Value, how: &[Value], keep: bool) -> Result<Vec<Value>, Error> {
    let (path, how) = how.split_first().ok_or_else(|| wrong("selectattr and rejectattr take an attribute"))?;
    let (test, more) = how.split_first().map_or((None, how), |(test, more)| (test.as_str(), more));
    let mut found = Vec::new();
    for item in list(items)? {
        let value = at_path(item.clone(), path)?;
        let passed = match test {
            Some(test) => {
                if !matches!(test, "defined" | "undefined") {
                    known(&value)?;
                }
                let arguments: Vec<Value> = std::iter::once(value).chain(more.iter().cloned()).collect();
                state.perform_test(test, &arguments)?
            }
            None => known(&value)?.is_true(),
        };
        if passed == keep {
            found.push(item);
        }
    }
    Ok(found)
}
