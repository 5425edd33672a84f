//! The typed tree of a playbook. Values that may hold templates stay [`Node`]s until the engine renders them.

use crate::inventory::{Entry, Node, Place, Problem};

/// What a playbook may name: given by those above us who know the modules.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Every module's name and alias; `ansible.builtin.` and `ansible.legacy.` before it are accepted too.
    pub modules: Vec<&'static str>,
    /// Modules that take free form text (`command: ls -l`), kept under `_raw_params`.
    pub free_form: Vec<&'static str>,
}

/// A playbook file.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Its plays in order.
    pub plays: Vec<Play>,
    /// What is not wrong but will surprise somebody; said once before the run.
    pub warnings: Vec<Problem>,
}

/// A Jinja expression without braces, as in `when:`.
#[derive(Clone, Debug)]
pub struct Expression {
    /// Where it stands.
    pub place: Place,
    /// Its text; a literal `true` or `false` of the YAML reads the same.
    pub text: String,
}

/// `order:`: the order of the hosts in a play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostOrder {
    /// As in the inventory.
    #[default]
    Inventory,
    /// The other way round.
    ReverseInventory,
    /// By name.
    Sorted,
    /// By name, the other way round.
    ReverseSorted,
    /// By chance.
    Shuffle,
}

/// `rolling.order:`: which host is next, asked again before each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskOrder {
    /// As the play's hosts are ordered.
    Play,
    /// A sick member first, then followers, the leader last.
    #[default]
    LeaderLast,
}

/// `rolling:`: by whose leave the next host is touched.
#[derive(Clone, Debug)]
pub struct Rolling {
    /// Where.
    pub place: Place,
    /// `guard:`: the name of the quorum system that is asked, `etcd`.
    pub guard: String,
    /// `order:`.
    pub order: TaskOrder,
    /// `rounds:`: a list, or a template that gives one; the play goes over all its hosts once for each item.
    pub rounds: Option<Node>,
    /// `until:`: when the maintenance window is over, or a template that says so.
    pub until: Option<Node>,
}

/// One play.
#[derive(Clone, Debug)]
pub struct Play {
    /// Where it begins.
    pub place: Place,
    /// `name:`, else what `hosts:` says.
    pub name: Option<Node>,
    /// `hosts:`: a pattern or a list of patterns.
    pub hosts: Node,
    /// `serial:`: a number, a percentage, or a list of these; none: all hosts at once.
    pub serial: Option<Node>,
    /// `order:`.
    pub order: HostOrder,
    /// `rolling:`, quorate's own.
    pub rolling: Option<Rolling>,
    /// `gather_facts:`; unset is `None` (quorate gathers only what is asked for).
    pub gather_facts: Option<Node>,
    /// `any_errors_fatal:`.
    pub any_errors_fatal: Option<Node>,
    /// `max_fail_percentage:`.
    pub max_fail_percentage: Option<Node>,
    /// `force_handlers:`.
    pub force_handlers: Option<Node>,
    /// `vars_files:`: each a path or a list of which the first that exists is taken.
    pub vars_files: Vec<Node>,
    /// What tasks inherit.
    pub directives: Directives,
    /// `pre_tasks:`.
    pub pre_tasks: Vec<Item>,
    /// `tasks:`.
    pub tasks: Vec<Item>,
    /// `post_tasks:`.
    pub post_tasks: Vec<Item>,
    /// `handlers:`.
    pub handlers: Vec<Handler>,
}

/// A task or a block of them.
#[derive(Clone, Debug)]
pub enum Item {
    /// A task.
    Task(Box<Task>),
    /// A block.
    Block(Box<Block>),
}

/// `block:` with its `rescue:` and `always:`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it begins.
    pub place: Place,
    /// `name:`.
    pub name: Option<Node>,
    /// What its tasks inherit.
    pub directives: Directives,
    /// `block:`.
    pub block: Vec<Item>,
    /// `rescue:`.
    pub rescue: Vec<Item>,
    /// `always:`.
    pub always: Vec<Item>,
}

impl Block {
    /// An empty block at that place.
    pub(super) fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            name: None,
            directives: Directives::default(),
            block: Vec::new(),
            rescue: Vec::new(),
            always: Vec::new(),
        }
    }
}

/// A handler: a task that runs when notified.
#[derive(Clone, Debug)]
pub struct Handler {
    /// `listen:`: further names it answers to.
    pub listen: Vec<String>,
    /// The task.
    pub task: Task,
}

/// What plays, blocks and tasks may all say; a task's own word wins, `when` and `tags` add up, `vars` and `environment` merge.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    /// `when:`, all of which must hold.
    pub when: Vec<Expression>,
    /// `tags:`.
    pub tags: Vec<String>,
    /// `vars:`.
    pub vars: Vec<Entry>,
    /// `environment:`: a mapping or a list of mappings.
    pub environment: Vec<Node>,
    /// `become:`.
    pub r#become: Option<Node>,
    /// `become_user:`.
    pub become_user: Option<Node>,
    /// `become_method:`.
    pub become_method: Option<Node>,
    /// `connection:`.
    pub connection: Option<Node>,
    /// `remote_user:`.
    pub remote_user: Option<Node>,
    /// `port:`.
    pub port: Option<Node>,
    /// `ignore_errors:`.
    pub ignore_errors: Option<Node>,
    /// `ignore_unreachable:`.
    pub ignore_unreachable: Option<Node>,
    /// `no_log:`.
    pub no_log: Option<Node>,
    /// `check_mode:`.
    pub check_mode: Option<Node>,
    /// `diff:`.
    pub diff: Option<Node>,
    /// `run_once:`.
    pub run_once: Option<Node>,
    /// `delegate_to:`.
    pub delegate_to: Option<Node>,
    /// `throttle:`.
    pub throttle: Option<Node>,
    /// `timeout:` in seconds.
    pub timeout: Option<Node>,
    /// `any_errors_fatal:` of a block or task.
    pub any_errors_fatal: Option<Node>,
    /// `notify:` of a block or task.
    pub notify: Vec<Node>,
}

/// `loop_control:`.
#[derive(Clone, Debug, Default)]
pub struct LoopControl {
    /// `loop_var:`, else `item`.
    pub loop_var: Option<String>,
    /// `index_var:`.
    pub index_var: Option<String>,
    /// `label:`.
    pub label: Option<Node>,
    /// `pause:` in seconds.
    pub pause: Option<Node>,
    /// `extended:`.
    pub extended: bool,
}

/// One task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Where it begins.
    pub place: Place,
    /// `name:`.
    pub name: Option<Node>,
    /// The module's name without `ansible.builtin.`.
    pub module: String,
    /// Where the module's name stands.
    pub module_place: Place,
    /// Its arguments, always a mapping; free form text under `_raw_params`, `args:` merged in.
    pub args: Node,
    /// What it says beside.
    pub directives: Directives,
    /// `register:`.
    pub register: Option<String>,
    /// `loop:` or `with_items:` (then flattened one level).
    pub r#loop: Option<Node>,
    /// Whether the loop was written `with_items`.
    pub with_items: bool,
    /// `loop_control:`.
    pub loop_control: LoopControl,
    /// `until:`.
    pub until: Vec<Expression>,
    /// `retries:`.
    pub retries: Option<Node>,
    /// `delay:` in seconds.
    pub delay: Option<Node>,
    /// `changed_when:`.
    pub changed_when: Option<Vec<Expression>>,
    /// `failed_when:`.
    pub failed_when: Option<Vec<Expression>>,
}
