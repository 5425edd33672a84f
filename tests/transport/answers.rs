//! What the test server does for a command line.

use std::sync::Arc;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, Sig};

use super::server::Seen;

/// The mark that asks for the become password.
pub(crate) const ASK: &str = "ask-7d1f0b52:";
/// The mark that says that the command runs.
pub(crate) const READY: &str = "ready-90aa1c3e\n";
/// The become password that is right.
pub(crate) const PASSWORD: &str = "open sesame";

/// One channel of one client.
struct Command {
    channel: Channel<Msg>,
    handle: Handle,
    id: ChannelId,
}

/// Waits for the command and plays it.
pub(crate) async fn answer(mut channel: Channel<Msg>, handle: Handle, seen: Arc<Seen>) {
    let id = channel.id();
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Exec { command, .. } = message {
            let command = String::from_utf8(command).unwrap();
            seen.commands.lock().unwrap().push(command.clone());
            let mut run = Command { channel, handle, id };
            if command == "no shell" {
                run.handle.channel_failure(id).await.unwrap();
                run.handle.close(id).await.unwrap();
                return;
            }
            let _ = run.handle.channel_success(id).await;
            run.play(&command).await;
            return;
        }
    }
}

impl Command {
    async fn play(&mut self, command: &str) {
        match command {
            "both" => {
                self.out(b"to stdout").await;
                self.err(b"to stderr").await;
                self.end(3).await;
            }
            "signal" => {
                let _ = self.handle.exit_signal_request(self.id, Sig::TERM, false, String::new(), String::new()).await;
                self.close().await;
            }
            "no status" => self.close().await,
            "two ends" => {
                let _ = self.handle.exit_status_request(self.id, 1).await;
                self.end(0).await;
            }
            "status first" => {
                let _ = self.handle.exit_status_request(self.id, 0).await;
                self.out(b"late").await;
                self.close().await;
            }
            "huge status" => self.end(u32::MAX).await,
            "stay" => self.stay().await,
            "hang" => while self.channel.wait().await.is_some() {},
            "count" => {
                let count = self.input().await;
                self.out(count.to_string().as_bytes()).await;
                self.end(0).await;
            }
            "deaf" => self.end(7).await,
            "flood" => {
                for _ in 0..512 {
                    self.err(&[b'e'; 32 * 1024]).await;
                }
                self.out(b"done").await;
                self.end(0).await;
            }
            _ => self.sudo(command).await,
        }
    }

    /// sudo, as far as a client can see it.
    async fn sudo(&mut self, command: &str) {
        match command {
            "sudo cached" => {}
            "sudo fake" => self.err(b"[sudo] password for root: ").await,
            _ => {
                self.err(b"lecture\n").await;
                self.err(&ASK.as_bytes()[..5]).await;
                self.err(&ASK.as_bytes()[5..]).await;
                let line = self.line().await;
                if line != PASSWORD {
                    self.err(b"Sorry, try again.\n").await;
                    self.err(ASK.as_bytes()).await;
                    self.line().await;
                    self.end(1).await;
                    return;
                }
            }
        }
        if command == "sudo fake" {
            self.end(1).await;
            return;
        }
        self.err(READY.as_bytes()).await;
        self.err(b"own words").await;
        let count = self.input().await;
        self.out(count.to_string().as_bytes()).await;
        self.end(0).await;
    }

    /// Each line is a mark and words: the words are said between the two ends of the mark.
    async fn stay(&mut self) {
        let mut held = Vec::new();
        while let Some(message) = self.channel.wait().await {
            let ChannelMsg::Data { data } = message else { break };
            held.extend_from_slice(&data);
            while let Some(at) = held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = held.drain(..=at).collect();
                let line = String::from_utf8(line).unwrap();
                let (mark, words) = line.trim_end().split_once(' ').unwrap();
                if words == "die" {
                    self.end(1).await;
                    return;
                }
                let said = format!("noise{mark}-begin\n{words}{mark}-end 7\nnoise");
                // In pieces, so that a mark lies across their border.
                for piece in said.as_bytes().chunks(5) {
                    self.out(piece).await;
                    self.err(piece).await;
                }
            }
        }
        self.end(0).await;
    }

    /// One line of input; what was sent before its question would be in it.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while let Some(message) = self.channel.wait().await {
            if let ChannelMsg::Data { data } = message {
                line.extend_from_slice(&data);
                if line.ends_with(b"\n") {
                    line.pop();
                    return String::from_utf8(line).unwrap();
                }
            }
        }
        "no line".to_owned()
    }

    /// Bytes of input until its end.
    async fn input(&mut self) -> usize {
        let mut count = 0;
        while let Some(message) = self.channel.wait().await {
            match message {
                ChannelMsg::Data { data } => count += data.len(),
                ChannelMsg::Eof => break,
                _ => {}
            }
        }
        count
    }

    async fn out(&self, bytes: &[u8]) {
        drop(self.channel.data_bytes(bytes.to_vec()).await);
    }

    async fn err(&self, bytes: &[u8]) {
        drop(self.channel.extended_data_bytes(1, bytes.to_vec()).await);
    }

    async fn end(&self, code: u32) {
        let _ = self.handle.exit_status_request(self.id, code).await;
        self.close().await;
    }

    async fn close(&self) {
        let _ = self.handle.eof(self.id).await;
        let _ = self.handle.close(self.id).await;
    }
}
