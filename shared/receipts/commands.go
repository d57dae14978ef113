package receipts

import (
	"regexp"
	"strings"
)

// What a technician would type must not be invented: command lines, flags,
// paths and variables, as they stand in a normalised claim.
var (
	command = regexp.MustCompile(strings.Join([]string{
		// Cmdlets. Of the verbs that are half of ordinary compounds too, only
		// those with a noun of PowerShell's own.
		`\b(?:get|set|new|remove|restart|stop|invoke|add|clear|enable|disable|uninstall|repair|resolve|register|unregister|grant|revoke|suspend|dismount|convertto|convertfrom|foreach|where|connect)-[a-z]{4,}[a-z0-9]*`,
		`\b(?:start|test|reset|update|import|export|install|copy|move|rename|select|write|read|out|mount|wait|search|format|measure|expand)-(?:service|process|computer|netconnection|connection|item|module|job|object|string|content|host|output|file|path|printer|ad|vm|mailbox|windows|wsman|disk|volume|table|list|csv|acl|event|scheduledtask)[a-z0-9]*`,
		// Programs that take a word to say what to do, and perhaps one for what with.
		`\b(?:net (?:start|stop|use|user|localgroup|group|view|share|session|accounts|time)|sc (?:start|stop|config|query|delete|create|failure)|reg (?:add|delete|query|import|export|save|load)|route (?:add|print|delete)|service [a-z][a-z0-9_.-]* (?:start|stop|restart|status|reload)|docker (?:run|exec|pull|restart|start|stop|rm|ps|logs|compose)|git (?:clone|pull|push|reset|checkout|config)|(?:systemctl|netsh|kubectl|oc|apt|apt-get|yum|dnf|winget|choco|brew|sudo|dsquery|wmic) [a-z][a-z-]*)(?: [^\s.,;:()]+)?`,
		// Programs whose name is no word of a sentence.
		`\b(?:sfc|chkdsk|ipconfig|ifconfig|gpupdate|gpresult|nslookup|tracert|traceroute|taskkill|tasklist|regsvr32|regedit|bcdedit|diskpart|journalctl|icacls|takeown|robocopy|xcopy|w32tm|klist|nltest|dsregcmd|repadmin|dcdiag|netstat|nbtstat|wsreset|certutil|bitsadmin|msiexec|rundll32|cscript|wscript|mshta|schtasks|iptables|crontab|chmod|chown|mkfs|fsck|dism|nmap|netcat|psexec|vssadmin|killall|pkill|curl|wget|runas|mkdir|rmdir)\b`,
		`\b(?:format [a-z]:|kill \d+|ssh \S+@\S+|rm \S+|cmd /\S+)`,
		`(?:^|[\s("'=])--?[a-z][a-z0-9-]*`,         // flags
		`(?:^|[\s("'=])[~.]?/[a-z.][^\s,;"'<>()]*`, // flags and paths of Unix
		`\b[a-z]:[\\/][^\s"'<>|,;)]*`,              // paths of Windows
		`[^\s"'<>|,;()\\]*\\?(?:\\[^\s"'<>|,;()\\]+)+`,
		`%[a-z_]+%|\$(?:env:)?[a-z_]+`,
	}, "|"))
	// sentence is what reads like a command of init, and is none: "the service was
	// restarted", "stop the service and start it again".
	sentence = regexp.MustCompile(`\bservice (?:was|were|is|are|be|will|would|may|might|can|could|must|should|does|did|has|had|to|and|or|then|not|that|which|cannot|needs?) (?:start|stop|restart|status|reload)`)
	// backticked is what the model marks as something to be typed as it is.
	backticked = regexp.MustCompile("`+([^`]+)`+")
)
