<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN">
<context>
    <name>AboutDialog</name>
    <message>
        <source>About Falconet</source>
        <translation>关于 Falconet</translation>
    </message>
    <message>
        <source>Version {version}, Apache License 2.0</source>
        <translation>版本 {version}，Apache 许可证 2.0</translation>
    </message>
    <message>
        <source>Falcon language models on your own computer. Nothing that you write leaves it unless you add a remote service yourself.</source>
        <translation>在您自己的电脑上运行 Falcon 语言模型。除非您自行添加远程服务，否则您写下的任何内容都不会离开这台电脑。</translation>
    </message>
    <message>
        <source>Your chats are in {folder}.</source>
        <translation>您的对话保存在 {folder}。</translation>
    </message>
    <message>
        <source>Made with:</source>
        <translation>使用了以下组件：</translation>
    </message>
    <message>
        <source>Open Folder</source>
        <translation>打开文件夹</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Dismiss</source>
        <translation>关闭提示</translation>
    </message>
</context>
<context>
    <name>ChatDelegate</name>
    <message>
        <source>Title of the chat</source>
        <translation>对话标题</translation>
    </message>
</context>
<context>
    <name>ChatList</name>
    <message>
        <source>Rename</source>
        <translation>重命名</translation>
    </message>
    <message>
        <source>Unpin</source>
        <translation>取消置顶</translation>
    </message>
    <message>
        <source>Pin</source>
        <translation>置顶</translation>
    </message>
    <message>
        <source>Move to</source>
        <translation>移动到</translation>
    </message>
    <message>
        <source>No folder</source>
        <translation>不放入文件夹</translation>
    </message>
    <message>
        <source>New folder…</source>
        <translation>新建文件夹…</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>导出…</translation>
    </message>
    <message>
        <source>Back to the list</source>
        <translation>移回列表</translation>
    </message>
    <message>
        <source>Archive</source>
        <translation>归档</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>New chat here</source>
        <translation>在此新建对话</translation>
    </message>
    <message>
        <source>Rename folder…</source>
        <translation>重命名文件夹…</translation>
    </message>
    <message>
        <source>Delete folder, keep its chats</source>
        <translation>删除文件夹，保留其中的对话</translation>
    </message>
</context>
<context>
    <name>ChatSettingsPanel</name>
    <message>
        <source>No preset</source>
        <translation>不使用预设</translation>
    </message>
    <message>
        <source>Settings of this chat</source>
        <translation>此对话的设置</translation>
    </message>
    <message>
        <source>This Chat</source>
        <translation>此对话</translation>
    </message>
    <message>
        <source>Close the settings of this chat</source>
        <translation>关闭此对话的设置</translation>
    </message>
    <message>
        <source>Save or delete presets</source>
        <translation>保存或删除预设</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>A system prompt and these numbers under a name</source>
        <translation>以一个名称保存系统提示词和这些参数</translation>
    </message>
    <message>
        <source>Save as Preset…</source>
        <translation>保存为预设…</translation>
    </message>
    <message>
        <source>Delete Preset</source>
        <translation>删除预设</translation>
    </message>
    <message>
        <source>Back to the Defaults</source>
        <translation>恢复默认值</translation>
    </message>
    <message>
        <source>System prompt</source>
        <translation>系统提示词</translation>
    </message>
    <message>
        <source>What the model is told first, such as “Answer in one sentence.”</source>
        <translation>最先告诉模型的话，例如“请用一句话回答。”</translation>
    </message>
    <message>
        <source>Save as Preset</source>
        <translation>保存为预设</translation>
    </message>
    <message>
        <source>Name of the preset:</source>
        <translation>预设名称：</translation>
    </message>
</context>
<context>
    <name>ChatsController</name>
    <message numerus="yes">
        <source>%n chat(s) moved to the archive.</source>
        <translation>
            <numerusform>已将 %n 个对话归档。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) moved back to the list.</source>
        <translation>
            <numerusform>已将 %n 个对话移回列表。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) deleted.</source>
        <translation>
            <numerusform>已删除 %n 个对话。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Delete %n chat(s) for good?</source>
        <translation>
            <numerusform>永久删除 %n 个对话？</numerusform>
        </translation>
    </message>
    <message>
        <source>This cannot be undone.</source>
        <translation>此操作无法撤销。</translation>
    </message>
    <message>
        <source>The folder {name} was deleted.</source>
        <translation>文件夹“{name}”已删除。</translation>
    </message>
    <message>
        <source>Delete for Good</source>
        <translation>永久删除</translation>
    </message>
    <message>
        <source>New Folder</source>
        <translation>新建文件夹</translation>
    </message>
    <message>
        <source>Rename Folder</source>
        <translation>重命名文件夹</translation>
    </message>
    <message>
        <source>Name of the folder:</source>
        <translation>文件夹名称：</translation>
    </message>
</context>
<context>
    <name>CheckDialog</name>
    <message>
        <source>Check a Model</source>
        <translation>检查模型</translation>
    </message>
    <message>
        <source>The model is being checked</source>
        <translation>正在检查模型</translation>
    </message>
    <message>
        <source>Compute There from Now On</source>
        <translation>今后在那里计算</translation>
    </message>
    <message>
        <source>Save Report…</source>
        <translation>保存报告…</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Getting ready…</source>
        <translation>正在准备…</translation>
    </message>
    <message>
        <source>This model works as it should on this computer.</source>
        <translation>此模型在这台电脑上工作正常。</translation>
    </message>
    <message>
        <source>It names no chat format: unless one is chosen in Models, it continues what you write instead of answering.</source>
        <translation>它没有指明对话格式：除非在“模型”中选择一种，否则它会续写您的文字，而不是作答。</translation>
    </message>
    <message>
        <source>Something is wrong; the report says what.</source>
        <translation>有些地方不对，详情见报告。</translation>
    </message>
    <message>
        <source>The check was stopped.</source>
        <translation>检查已停止。</translation>
    </message>
    <message>
        <source>Interpreter</source>
        <translation>解释器</translation>
    </message>
    <message>
        <source>{device}: not on this computer ({reason}).</source>
        <translation>{device}：这台电脑上没有（{reason}）。</translation>
    </message>
    <message>
        <source>works</source>
        <translation>可用</translation>
    </message>
    <message>
        <source>{count} tokens a second</source>
        <translation>每秒 {count} 个词元</translation>
    </message>
    <message>
        <source>loads in {count} s</source>
        <translation>加载用时 {count} 秒</translation>
    </message>
    <message>
        <source>{size} of memory</source>
        <translation>占用内存 {size}</translation>
    </message>
    <message>
        <source>Save the Report</source>
        <translation>保存报告</translation>
    </message>
    <message>
        <source>JSON (*.json)</source>
        <translation>JSON 文件 (*.json)</translation>
    </message>
</context>
<context>
    <name>ChecksController</name>
    <message>
        <source>The report could not be written to {file} ({reason}); choose another place.</source>
        <translation>无法将报告写入 {file}（{reason}），请选择其他位置。</translation>
    </message>
    <message>
        <source>{name} works as it should.</source>
        <translation>{name} 工作正常。</translation>
    </message>
    <message>
        <source>{name}: {why}</source>
        <translation>{name}：{why}</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>显示</translation>
    </message>
</context>
<context>
    <name>ClearableEdit</name>
    <message>
        <source>Clear</source>
        <translation>清除</translation>
    </message>
</context>
<context>
    <name>CodeBlock</name>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Code, %1</source>
        <translation>代码，%1</translation>
    </message>
    <message>
        <source>Code</source>
        <translation>代码</translation>
    </message>
    <message>
        <source>Copy code</source>
        <translation>复制代码</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>已复制</translation>
    </message>
</context>
<context>
    <name>Commands</name>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>编辑(&amp;E)</translation>
    </message>
    <message>
        <source>&amp;Chat</source>
        <translation>对话(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Window</source>
        <translation>窗口(&amp;W)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;New Chat</source>
        <translation>新建对话(&amp;N)</translation>
    </message>
    <message>
        <source>Begin a new chat.</source>
        <translation>开始新的对话。</translation>
    </message>
    <message>
        <source>New &amp;Folder…</source>
        <translation>新建文件夹(&amp;F)…</translation>
    </message>
    <message>
        <source>Make a folder for chats.</source>
        <translation>新建一个存放对话的文件夹。</translation>
    </message>
    <message>
        <source>&amp;Import Chats…</source>
        <translation>导入对话(&amp;I)…</translation>
    </message>
    <message>
        <source>Read chats from a file of this program, ChatGPT or LM Studio.</source>
        <translation>从本程序、ChatGPT 或 LM Studio 的文件中读取对话。</translation>
    </message>
    <message>
        <source>&amp;Export Chat…</source>
        <translation>导出对话(&amp;E)…</translation>
    </message>
    <message>
        <source>Write this chat as Markdown, HTML, PDF or JSON.</source>
        <translation>将此对话导出为 Markdown、HTML、PDF 或 JSON。</translation>
    </message>
    <message>
        <source>Export &amp;All Chats…</source>
        <translation>导出所有对话(&amp;A)…</translation>
    </message>
    <message>
        <source>Write all chats into one file: JSON, or an archive of Markdown.</source>
        <translation>将所有对话写入一个文件：JSON 或 Markdown 压缩包。</translation>
    </message>
    <message>
        <source>&amp;Deleted Chats…</source>
        <translation>已删除的对话(&amp;D)…</translation>
    </message>
    <message>
        <source>Have a chat back that was deleted in the last 30 days.</source>
        <translation>恢复过去 30 天内删除的对话。</translation>
    </message>
    <message>
        <source>&amp;Settings…</source>
        <translation>设置(&amp;S)…</translation>
    </message>
    <message>
        <source>Open the settings of the program.</source>
        <translation>打开程序的设置。</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>退出(&amp;Q)</translation>
    </message>
    <message>
        <source>Leave the program; every chat is kept.</source>
        <translation>退出程序；所有对话都会保留。</translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <translation>撤销(&amp;U)</translation>
    </message>
    <message>
        <source>Take back the last change of the text; in the list of chats, what was deleted last.</source>
        <translation>撤销对文字的上一次更改；在对话列表中则撤销上一次删除。</translation>
    </message>
    <message>
        <source>&amp;Redo</source>
        <translation>重做(&amp;R)</translation>
    </message>
    <message>
        <source>Make the change again that was taken back.</source>
        <translation>重做被撤销的更改。</translation>
    </message>
    <message>
        <source>Cu&amp;t</source>
        <translation>剪切(&amp;T)</translation>
    </message>
    <message>
        <source>Move the selected text to the clipboard.</source>
        <translation>将所选文本移到剪贴板。</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation>复制(&amp;C)</translation>
    </message>
    <message>
        <source>Copy the selected text to the clipboard.</source>
        <translation>将所选文本复制到剪贴板。</translation>
    </message>
    <message>
        <source>&amp;Paste</source>
        <translation>粘贴(&amp;P)</translation>
    </message>
    <message>
        <source>Insert the text of the clipboard.</source>
        <translation>插入剪贴板中的文本。</translation>
    </message>
    <message>
        <source>Select &amp;All</source>
        <translation>全选(&amp;A)</translation>
    </message>
    <message>
        <source>Select the whole text of the field.</source>
        <translation>选中输入框中的全部文本。</translation>
    </message>
    <message>
        <source>&amp;Find in Chat…</source>
        <translation>在对话中查找(&amp;F)…</translation>
    </message>
    <message>
        <source>Find a text in this chat.</source>
        <translation>在此对话中查找文本。</translation>
    </message>
    <message>
        <source>Find Ne&amp;xt</source>
        <translation>查找下一个(&amp;X)</translation>
    </message>
    <message>
        <source>Go to the next place that was found.</source>
        <translation>跳到下一个匹配处。</translation>
    </message>
    <message>
        <source>Find Pre&amp;vious</source>
        <translation>查找上一个(&amp;V)</translation>
    </message>
    <message>
        <source>Go to the place that was found before.</source>
        <translation>跳到上一个匹配处。</translation>
    </message>
    <message>
        <source>&amp;Search All Chats…</source>
        <translation>搜索所有对话(&amp;S)…</translation>
    </message>
    <message>
        <source>Search the titles and messages of every chat.</source>
        <translation>搜索所有对话的标题和消息。</translation>
    </message>
    <message>
        <source>&amp;Stop Answer</source>
        <translation>停止回答(&amp;S)</translation>
    </message>
    <message>
        <source>Stop the answer, or go back to the message that you write.</source>
        <translation>停止回答，或回到正在撰写的消息。</translation>
    </message>
    <message>
        <source>&amp;Edit Last Message</source>
        <translation>编辑上一条消息(&amp;E)</translation>
    </message>
    <message>
        <source>Change what you said last; the key does so where no message is begun.</source>
        <translation>修改您上一次说的话；输入框为空时按此键即可。</translation>
    </message>
    <message>
        <source>&amp;Answer Again</source>
        <translation>重新回答(&amp;A)</translation>
    </message>
    <message>
        <source>Ask for another answer; the one before is kept.</source>
        <translation>再要一个回答；之前的回答会保留。</translation>
    </message>
    <message>
        <source>C&amp;ontinue Answer</source>
        <translation>继续回答(&amp;O)</translation>
    </message>
    <message>
        <source>Have the last answer written further.</source>
        <translation>让模型接着写上一个回答。</translation>
    </message>
    <message>
        <source>Copy &amp;Last Answer</source>
        <translation>复制上一个回答(&amp;L)</translation>
    </message>
    <message>
        <source>Copy the whole last answer to the clipboard.</source>
        <translation>将上一个回答全部复制到剪贴板。</translation>
    </message>
    <message>
        <source>&amp;Rename…</source>
        <translation>重命名(&amp;R)…</translation>
    </message>
    <message>
        <source>Give this chat another title.</source>
        <translation>为此对话换一个标题。</translation>
    </message>
    <message>
        <source>&amp;Pin or Unpin</source>
        <translation>置顶或取消置顶(&amp;P)</translation>
    </message>
    <message>
        <source>Keep this chat at the top of the list, or no longer.</source>
        <translation>让此对话始终位于列表顶部，或取消置顶。</translation>
    </message>
    <message>
        <source>Ar&amp;chive</source>
        <translation>归档(&amp;C)</translation>
    </message>
    <message>
        <source>Move this chat out of the list, and keep it.</source>
        <translation>将此对话移出列表并保留。</translation>
    </message>
    <message>
        <source>&amp;Delete</source>
        <translation>删除(&amp;D)</translation>
    </message>
    <message>
        <source>Delete this chat; it can be brought back.</source>
        <translation>删除此对话；之后可以恢复。</translation>
    </message>
    <message>
        <source>Settings of This C&amp;hat</source>
        <translation>此对话的设置(&amp;H)</translation>
    </message>
    <message>
        <source>Show or hide system prompt and sampling of this chat.</source>
        <translation>显示或隐藏此对话的系统提示词和采样参数。</translation>
    </message>
    <message>
        <source>&amp;List of Chats</source>
        <translation>对话列表(&amp;L)</translation>
    </message>
    <message>
        <source>Show or hide the list of chats.</source>
        <translation>显示或隐藏对话列表。</translation>
    </message>
    <message>
        <source>&amp;Next Chat</source>
        <translation>下一个对话(&amp;N)</translation>
    </message>
    <message>
        <source>Show the chat below in the list.</source>
        <translation>显示列表中的下一个对话。</translation>
    </message>
    <message>
        <source>&amp;Previous Chat</source>
        <translation>上一个对话(&amp;P)</translation>
    </message>
    <message>
        <source>Show the chat above in the list.</source>
        <translation>显示列表中的上一个对话。</translation>
    </message>
    <message>
        <source>Next P&amp;ane</source>
        <translation>下一个窗格(&amp;A)</translation>
    </message>
    <message>
        <source>Go from list to conversation to message to settings.</source>
        <translation>依次切换到列表、对话内容、输入框和设置。</translation>
    </message>
    <message>
        <source>Pre&amp;vious Pane</source>
        <translation>上一个窗格(&amp;V)</translation>
    </message>
    <message>
        <source>Go the same way back.</source>
        <translation>按相反的顺序切换。</translation>
    </message>
    <message>
        <source>&amp;Write a Message</source>
        <translation>撰写消息(&amp;W)</translation>
    </message>
    <message>
        <source>Go to the message that you write.</source>
        <translation>回到正在撰写的消息。</translation>
    </message>
    <message>
        <source>La&amp;rger Text</source>
        <translation>放大文字(&amp;R)</translation>
    </message>
    <message>
        <source>Make all text larger.</source>
        <translation>放大所有文字。</translation>
    </message>
    <message>
        <source>S&amp;maller Text</source>
        <translation>缩小文字(&amp;M)</translation>
    </message>
    <message>
        <source>Make all text smaller.</source>
        <translation>缩小所有文字。</translation>
    </message>
    <message>
        <source>&amp;Normal Text Size</source>
        <translation>默认文字大小(&amp;N)</translation>
    </message>
    <message>
        <source>Show text in the system&apos;s size.</source>
        <translation>按系统的大小显示文字。</translation>
    </message>
    <message>
        <source>&amp;Full Screen</source>
        <translation>全屏(&amp;F)</translation>
    </message>
    <message>
        <source>Fill the screen with the window, or no longer.</source>
        <translation>让窗口占满屏幕，或退出全屏。</translation>
    </message>
    <message>
        <source>&amp;Choose a Model…</source>
        <translation>选择模型(&amp;C)…</translation>
    </message>
    <message>
        <source>Choose which model answers.</source>
        <translation>选择由哪个模型来回答。</translation>
    </message>
    <message>
        <source>&amp;Manage Models…</source>
        <translation>管理模型(&amp;M)…</translation>
    </message>
    <message>
        <source>See, export, check and remove models; add services.</source>
        <translation>查看、导出、检查和移除模型；添加服务。</translation>
    </message>
    <message>
        <source>&amp;Unload Model</source>
        <translation>卸载模型(&amp;U)</translation>
    </message>
    <message>
        <source>Give the model&apos;s memory back; the next message loads it again.</source>
        <translation>释放模型占用的内存；发送下一条消息时会重新加载。</translation>
    </message>
    <message>
        <source>&amp;Restart Engine</source>
        <translation>重启引擎(&amp;R)</translation>
    </message>
    <message>
        <source>Start the process anew that runs the model.</source>
        <translation>重新启动运行模型的进程。</translation>
    </message>
    <message>
        <source>&amp;Keyboard Shortcuts</source>
        <translation>键盘快捷键(&amp;K)</translation>
    </message>
    <message>
        <source>Show every command with its keys.</source>
        <translation>显示所有命令及其快捷键。</translation>
    </message>
    <message>
        <source>&amp;Welcome</source>
        <translation>欢迎页(&amp;W)</translation>
    </message>
    <message>
        <source>Show the welcome of the first start.</source>
        <translation>显示首次启动时的欢迎页。</translation>
    </message>
    <message>
        <source>&amp;About Falconet</source>
        <translation>关于 Falconet(&amp;A)</translation>
    </message>
    <message>
        <source>Version, licences, and where your chats are.</source>
        <translation>版本、许可证以及对话的保存位置。</translation>
    </message>
    <message>
        <source>&amp;Minimize</source>
        <translation>最小化(&amp;M)</translation>
    </message>
    <message>
        <source>Put the window in front into the Dock.</source>
        <translation>将最前面的窗口收入程序坞。</translation>
    </message>
    <message>
        <source>&amp;Zoom</source>
        <translation>缩放(&amp;Z)</translation>
    </message>
    <message>
        <source>Make the window in front as large as the screen, or as it was.</source>
        <translation>将最前面的窗口放大到整个屏幕，或恢复原来的大小。</translation>
    </message>
    <message>
        <source>&amp;Close</source>
        <translation>关闭(&amp;C)</translation>
    </message>
    <message>
        <source>Close the window in front.</source>
        <translation>关闭最前面的窗口。</translation>
    </message>
</context>
<context>
    <name>Composer</name>
    <message>
        <source>Write a message</source>
        <translation>输入消息</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Enter sends, Shift+Enter begins a new line.</source>
        <translation>按 Enter 发送，按 Shift+Enter 换行。</translation>
    </message>
    <message>
        <source>Cmd+Enter sends, Enter begins a new line.</source>
        <translation>按 Cmd+Enter 发送，按 Enter 换行。</translation>
    </message>
    <message>
        <source>Ctrl+Enter sends, Enter begins a new line.</source>
        <translation>按 Ctrl+Enter 发送，按 Enter 换行。</translation>
    </message>
    <message>
        <source>Stop the answer</source>
        <translation>停止回答</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>发送</translation>
    </message>
</context>
<context>
    <name>ContextMeter</name>
    <message>
        <source>Context: {used} of {total} tokens used.</source>
        <translation>上下文：已用 {used} 个词元，共 {total} 个。</translation>
    </message>
    <message>
        <source>Context: {used} tokens used.</source>
        <translation>上下文：已用 {used} 个词元。</translation>
    </message>
</context>
<context>
    <name>ConversationView</name>
    <message>
        <source>Jump to newest</source>
        <translation>跳到最新内容</translation>
    </message>
</context>
<context>
    <name>DeletedDialog</name>
    <message>
        <source>Deleted Chats</source>
        <translation>已删除的对话</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Kept until</source>
        <translation>保留至</translation>
    </message>
    <message>
        <source>Restore</source>
        <translation>恢复</translation>
    </message>
    <message>
        <source>Delete for Good</source>
        <translation>永久删除</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Deleted chats are kept for 30 days.</source>
        <translation>已删除的对话会保留 30 天。</translation>
    </message>
    <message>
        <source>No chat was deleted in the last 30 days.</source>
        <translation>过去 30 天内没有删除过对话。</translation>
    </message>
</context>
<context>
    <name>Desk</name>
    <message>
        <source>Quit, and lose what you wrote?</source>
        <translation>退出并丢失所写的内容？</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>What you changed in the message was discarded.</source>
        <translation>对这条消息的修改已放弃。</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>Chats</source>
        <translation>对话</translation>
    </message>
</context>
<context>
    <name>Details</name>
    <message>
        <source>Weights</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>On disk</source>
        <translation>磁盘占用</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Last used</source>
        <translation>上次使用</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>文件夹</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Unload</source>
        <translation>卸载</translation>
    </message>
    <message>
        <source>Check…</source>
        <translation>检查…</translation>
    </message>
    <message>
        <source>Try this model on every device of this computer.</source>
        <translation>在这台电脑的每种设备上试运行此模型。</translation>
    </message>
    <message>
        <source>Show in Folder</source>
        <translation>在文件夹中显示</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>移除…</translation>
    </message>
    <message>
        <source>{count} tokens</source>
        <translation>{count} 个词元</translation>
    </message>
    <message>
        <source>mixed</source>
        <translation>混合</translation>
    </message>
    <message>
        <source>Chat format</source>
        <translation>对话格式</translation>
    </message>
    <message>
        <source>none: it continues what you write</source>
        <translation>无：续写您的文字</translation>
    </message>
    <message>
        <source>Comes with Falconet: small and quick, good for simple questions.</source>
        <translation>Falconet 自带：小巧快速，适合简单的问题。</translation>
    </message>
    <message>
        <source>It is prepared once, when it is first used.</source>
        <translation>首次使用时会准备一次。</translation>
    </message>
    <message>
        <source>No chat format is known for this model, so it continues what you write instead of answering. If it was taught one, choose it here.</source>
        <translation>不知道此模型的对话格式，因此它会续写您的文字，而不是作答。如果它学过某种格式，请在此选择。</translation>
    </message>
    <message>
        <source>Its folder holds more than a model: remove it in the file manager.</source>
        <translation>它的文件夹里不只有模型：请在文件管理器中删除。</translation>
    </message>
</context>
<context>
    <name>DoctorJob</name>
    <message>
        <source>The examination broke down (exit code {code}); try it again.</source>
        <translation>检查意外中断（退出代码 {code}），请重试。</translation>
    </message>
</context>
<context>
    <name>EmptyChat</name>
    <message>
        <source>What would you like to know?</source>
        <translation>您想了解什么？</translation>
    </message>
    <message>
        <source>Write a message below. {keys} shows what every key does.</source>
        <translation>请在下方输入消息。按 {keys} 可查看所有快捷键。</translation>
    </message>
</context>
<context>
    <name>EngineController</name>
    <message>
        <source>{name} was not loaded: the last time, loading it ended in a crash.</source>
        <translation>未加载 {name}：上次加载它时程序崩溃了。</translation>
    </message>
    <message>
        <source>Load anyway</source>
        <translation>仍然加载</translation>
    </message>
    <message>
        <source>not loaded</source>
        <translation>未加载</translation>
    </message>
    <message>
        <source>{name} stopped.</source>
        <translation>{name} 已停止。</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>重启</translation>
    </message>
    <message>
        <source>Settings…</source>
        <translation>设置…</translation>
    </message>
    <message>
        <source>loading, {seconds} s</source>
        <translation>正在加载，{seconds} 秒</translation>
    </message>
    <message>
        <source>answering</source>
        <translation>正在回答</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>{what} {seconds} s</source>
        <translation>{what} {seconds} 秒</translation>
    </message>
    <message>
        <source>{what} {percent} %, {seconds} s</source>
        <translation>{what} {percent} %，{seconds} 秒</translation>
    </message>
    <message>
        <source>{name} gave no answer.</source>
        <translation>{name} 没有回答。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>{name} has no chat format, so it continues what you write instead of answering. If it was taught one, choose it.</source>
        <translation>{name} 没有对话格式，因此它会续写您的文字，而不是作答。如果它学过某种格式，请选择。</translation>
    </message>
    <message>
        <source>Chat Format…</source>
        <translation>对话格式…</translation>
    </message>
    <message>
        <source>preparing, {percent} %</source>
        <translation>准备中，{percent} %</translation>
    </message>
    <message>
        <source>preparing, {seconds} s</source>
        <translation>准备中，{seconds} 秒</translation>
    </message>
    <message>
        <source>no answer</source>
        <translation>没有回答</translation>
    </message>
    <message>
        <source>not asked yet</source>
        <translation>尚未提问</translation>
    </message>
    <message>
        <source>Reading the conversation…</source>
        <translation>正在读取对话…</translation>
    </message>
    <message>
        <source>Waiting for the key of {name}…</source>
        <translation>正在等待 {name} 的密钥…</translation>
    </message>
    <message numerus="yes">
        <source>%n message(s) were left out.</source>
        <translation>
            <numerusform>略去了 %n 条消息。</numerusform>
        </translation>
    </message>
    <message>
        <source>Part of a message was left out.</source>
        <translation>略去了一条消息的一部分。</translation>
    </message>
    <message>
        <source>No model is loaded yet.</source>
        <translation>尚未加载模型。</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
</context>
<context>
    <name>EngineHost</name>
    <message>
        <source>No model is loaded; choose one first.</source>
        <translation>尚未加载模型，请先选择一个。</translation>
    </message>
    <message>
        <source>Preparing {name} for this computer: this is needed only once, and can take two minutes.</source>
        <translation>正在为这台电脑准备 {name}：只需一次，可能要两分钟。</translation>
    </message>
    <message>
        <source>Settings, Compute on, says where models are computed.</source>
        <translation>在“设置”的“计算设备”中可以选择在哪里计算模型。</translation>
    </message>
    <message>
        <source>Asking {name}…</source>
        <translation>正在询问 {name}…</translation>
    </message>
    <message>
        <source>Loading {name}…</source>
        <translation>正在加载 {name}…</translation>
    </message>
</context>
<context>
    <name>ErrorTeller</name>
    <message>
        <source>Something went wrong in Falconet itself ({error}); the details are in {file}.</source>
        <translation>Falconet 自身出错（{error}）；详情见 {file}。</translation>
    </message>
</context>
<context>
    <name>ExportForm</name>
    <message>
        <source>Exporting makes a bundle of a Falcon model: compressed, checked against the original, ready to run. A model that is named here is downloaded from the Hugging Face Hub once; nothing of yours is sent.</source>
        <translation>导出会把 Falcon 模型制作成模型包：经过压缩并与原模型核对，可以直接运行。此处列出的模型会从 Hugging Face Hub 下载一次，不会发送您的任何内容。</translation>
    </message>
    <message>
        <source>Folder…</source>
        <translation>文件夹…</translation>
    </message>
    <message>
        <source>Take a checkpoint in Hugging Face layout from this computer.</source>
        <translation>使用这台电脑上 Hugging Face 格式的检查点。</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>导出</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>Its &amp;name there</source>
        <translation>其在 Hub 上的名称(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Weights</source>
        <translation>权重(&amp;W)</translation>
    </message>
    <message>
        <source>{count} parameters</source>
        <translation>{count} 参数</translation>
    </message>
    <message>
        <source>comes with Falconet</source>
        <translation>Falconet 自带</translation>
    </message>
    <message>
        <source>Another model of the Hub…</source>
        <translation>Hub 上的其他模型…</translation>
    </message>
    <message>
        <source>A checkpoint in Hugging Face layout</source>
        <translation>Hugging Face 格式的检查点</translation>
    </message>
    <message>
        <source>The exporter is not installed here: run `{command}` and start again.</source>
        <translation>此处未安装导出工具：请运行 `{command}`，然后重新启动。</translation>
    </message>
    <message>
        <source>Write the name of a Falcon as its page of the Hub has it, such as {example}.</source>
        <translation>请按 Hub 页面上的写法输入一个 Falcon 模型的名称，例如 {example}。</translation>
    </message>
    <message>
        <source>Asking the exporter which models it knows…</source>
        <translation>正在查询导出工具支持的模型…</translation>
    </message>
    <message>
        <source>The exporter says what it needs of disk and memory when it begins.</source>
        <translation>导出工具会在开始时说明所需的磁盘空间和内存。</translation>
    </message>
    <message>
        <source>About {download} to download, once, and {disk} on the disk in the end.</source>
        <translation>需下载约 {download}（仅一次），最终占用磁盘 {disk}。</translation>
    </message>
    <message>
        <source>To run: {sentence}</source>
        <translation>运行时：{sentence}</translation>
    </message>
</context>
<context>
    <name>ExportJob</name>
    <message>
        <source>The export was ended by the system, as happens when memory runs out; close other programs and start it again: it goes on where it was.</source>
        <translation>导出被系统终止，内存不足时会这样；请关闭其他程序后重新开始，它会从中断处继续。</translation>
    </message>
    <message>
        <source>The export broke down ({reason}); start it again: it goes on where it was.</source>
        <translation>导出意外中断（{reason}）；请重新开始，它会从中断处继续。</translation>
    </message>
    <message>
        <source>exit code {code}</source>
        <translation>退出代码 {code}</translation>
    </message>
</context>
<context>
    <name>ExportProgress</name>
    <message>
        <source>How far the export is</source>
        <translation>导出的进度</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Go On</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Export Another…</source>
        <translation>导出其他模型…</translation>
    </message>
    <message>
        <source>Exporting {name}</source>
        <translation>正在导出 {name}</translation>
    </message>
    <message>
        <source>Stopping {name}…</source>
        <translation>正在停止导出 {name}…</translation>
    </message>
    <message>
        <source>{name} is not finished</source>
        <translation>{name} 尚未完成</translation>
    </message>
    <message>
        <source>{name} is ready</source>
        <translation>{name} 已就绪</translation>
    </message>
    <message>
        <source>{name} could not be exported</source>
        <translation>无法导出 {name}</translation>
    </message>
    <message>
        <source>Try Again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>It goes on while you chat, and when this window is closed.</source>
        <translation>您可以继续对话，关闭此窗口后导出也会继续。</translation>
    </message>
    <message>
        <source>What is finished is kept.</source>
        <translation>已完成的部分会保留。</translation>
    </message>
    <message>
        <source>What was finished is kept: going on begins where it stopped.</source>
        <translation>已完成的部分已保留：继续时会从中断处开始。</translation>
    </message>
    <message>
        <source>It was compared with the original, and stands in the list of models.</source>
        <translation>已与原模型核对，并已加入模型列表。</translation>
    </message>
</context>
<context>
    <name>ExportsController</name>
    <message>
        <source>The export of {name} was not finished.</source>
        <translation>{name} 的导出尚未完成。</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>{name} is here already.</source>
        <translation>{name} 已经存在。</translation>
    </message>
    <message>
        <source>Exporting it again replaces it once the new one is finished and was checked.</source>
        <translation>重新导出时，新的模型包完成并通过核对后才会替换它。</translation>
    </message>
    <message>
        <source>Export Again</source>
        <translation>重新导出</translation>
    </message>
    <message>
        <source>{name} is ready.</source>
        <translation>{name} 已就绪。</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>{name} could not be exported: {why}</source>
        <translation>无法导出 {name}：{why}</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>Exporting {name}: {stage}.</source>
        <translation>正在导出 {name}：{stage}。</translation>
    </message>
    <message>
        <source>About {time} left in this step.</source>
        <translation>此步骤大约还需 {time}。</translation>
    </message>
</context>
<context>
    <name>FindBar</name>
    <message>
        <source>Find in this chat</source>
        <translation>在此对话中查找</translation>
    </message>
    <message>
        <source>Previous hit</source>
        <translation>上一处</translation>
    </message>
    <message>
        <source>Next hit</source>
        <translation>下一处</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Nothing found</source>
        <translation>未找到</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>第 %1 处，共 %2 处</translation>
    </message>
</context>
<context>
    <name>Footer</name>
    <message>
        <source>%1/%2</source>
        <translation>%1/%2</translation>
    </message>
    <message>
        <source>Previous version</source>
        <translation>上一个版本</translation>
    </message>
    <message>
        <source>Next version</source>
        <translation>下一个版本</translation>
    </message>
    <message>
        <source>Copy message</source>
        <translation>复制消息</translation>
    </message>
    <message>
        <source>What else can be done</source>
        <translation>其他操作</translation>
    </message>
    <message>
        <source>Edit message</source>
        <translation>编辑消息</translation>
    </message>
    <message>
        <source>Write another answer</source>
        <translation>重新回答</translation>
    </message>
    <message>
        <source>Continue this answer</source>
        <translation>继续此回答</translation>
    </message>
    <message numerus="yes">
        <source>%n token(s)</source>
        <translation>
            <numerusform>%n 个词元</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 tokens/s</source>
        <translation>%1 词元/秒</translation>
    </message>
    <message>
        <source>first after %1 s</source>
        <translation>首个词元 %1 秒</translation>
    </message>
    <message>
        <source>stopped at the limit of tokens</source>
        <translation>达到词元上限而停止</translation>
    </message>
    <message>
        <source>stopped: the context is full</source>
        <translation>已停止：上下文已满</translation>
    </message>
    <message>
        <source>stopped by you</source>
        <translation>已被您停止</translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>Model: {name}. {state}</source>
        <translation>模型：{name}。{state}</translation>
    </message>
    <message>
        <source>Remote service: {name}. {state}</source>
        <translation>远程服务：{name}。{state}</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Show or hide the list of chats</source>
        <translation>显示或隐藏对话列表</translation>
    </message>
    <message>
        <source>Settings of this chat</source>
        <translation>此对话的设置</translation>
    </message>
    <message>
        <source>Title of this chat</source>
        <translation>此对话的标题</translation>
    </message>
</context>
<context>
    <name>InlineEditor</name>
    <message>
        <source>Edit message</source>
        <translation>编辑消息</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>发送</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
</context>
<context>
    <name>Keychain</name>
    <message>
        <source>enter the service&apos;s key again.</source>
        <translation>请重新输入该服务的密钥。</translation>
    </message>
    <message>
        <source>the key is kept until the program ends, and must then be entered again.</source>
        <translation>密钥会保留到程序结束，之后需要重新输入。</translation>
    </message>
    <message>
        <source>the key may still be in it, under the name Falconet.</source>
        <translation>密钥可能仍以 Falconet 的名称保存在其中。</translation>
    </message>
    <message>
        <source>This machine has no keychain: {rest}</source>
        <translation>这台电脑没有钥匙串：{rest}</translation>
    </message>
    <message>
        <source>The keychain is locked: {rest}</source>
        <translation>钥匙串已锁定：{rest}</translation>
    </message>
    <message>
        <source>The keychain could not be used: {rest}</source>
        <translation>无法使用钥匙串：{rest}</translation>
    </message>
</context>
<context>
    <name>LinkDialog</name>
    <message>
        <source>Open this link?</source>
        <translation>打开此链接？</translation>
    </message>
    <message>
        <source>Write to %1?</source>
        <translation>给 %1 写邮件？</translation>
    </message>
    <message>
        <source>This link leads to %1.</source>
        <translation>此链接指向 %1。</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>地址</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>打开</translation>
    </message>
    <message>
        <source>Copy address</source>
        <translation>复制地址</translation>
    </message>
</context>
<context>
    <name>LocalPage</name>
    <message>
        <source>Models on this computer</source>
        <translation>这台电脑上的模型</translation>
    </message>
    <message>
        <source>No other model is here yet: export one, or add a folder where bundles lie.</source>
        <translation>这里还没有其他模型：请导出一个，或添加存放模型包的文件夹。</translation>
    </message>
    <message>
        <source>Export a Model…</source>
        <translation>导出模型…</translation>
    </message>
    <message>
        <source>Folders</source>
        <translation>文件夹</translation>
    </message>
    <message>
        <source>Add a Folder…</source>
        <translation>添加文件夹…</translation>
    </message>
    <message>
        <source>Stop looking in {folder}</source>
        <translation>不再查找 {folder}</translation>
    </message>
    <message>
        <source>Loading</source>
        <translation>正在加载</translation>
    </message>
    <message>
        <source>In use</source>
        <translation>使用中</translation>
    </message>
</context>
<context>
    <name>Menus</name>
    <message>
        <source>More menus</source>
        <translation>更多菜单</translation>
    </message>
</context>
<context>
    <name>MessageList</name>
    <message>
        <source>Conversation</source>
        <translation>对话内容</translation>
    </message>
    <message>
        <source>{name} has answered.</source>
        <translation>{name} 已回答。</translation>
    </message>
    <message>
        <source>The answer was interrupted.</source>
        <translation>回答已中断。</translation>
    </message>
    <message>
        <source>The answer could not be written.</source>
        <translation>无法写出回答。</translation>
    </message>
</context>
<context>
    <name>MessageMenu</name>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy link address</source>
        <translation>复制链接地址</translation>
    </message>
    <message>
        <source>Select all</source>
        <translation>全选</translation>
    </message>
</context>
<context>
    <name>MessageWidget</name>
    <message>
        <source>You</source>
        <translation>您</translation>
    </message>
    <message>
        <source>Falcon</source>
        <translation>Falcon</translation>
    </message>
    <message numerus="yes">
        <source>%n earlier message(s) were left out of this answer</source>
        <translation>
            <numerusform>此回答略去了 %n 条较早的消息</numerusform>
        </translation>
    </message>
    <message>
        <source>Part of an earlier message was left out of this answer</source>
        <translation>此回答略去了一条较早消息的一部分</translation>
    </message>
    <message>
        <source>the conversation is longer than the model can hold.</source>
        <translation>对话超出了模型所能容纳的长度。</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>重启</translation>
    </message>
    <message>
        <source>This answer was interrupted.</source>
        <translation>此回答已中断。</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>The model thought, but gave no answer.</source>
        <translation>模型进行了思考，但没有给出回答。</translation>
    </message>
    <message>
        <source>The model had nothing to say.</source>
        <translation>模型没有写出任何内容。</translation>
    </message>
    <message>
        <source>This answer could not be written.</source>
        <translation>无法写出此回答。</translation>
    </message>
</context>
<context>
    <name>ModelEntry</name>
    <message>
        <source>{folder} cannot be read ({reason}).</source>
        <translation>无法读取 {folder}（{reason}）。</translation>
    </message>
    <message>
        <source>Comes with the program; prepared once, when it is first used.</source>
        <translation>程序自带；首次使用时会准备一次。</translation>
    </message>
    <message>
        <source>Models cannot be exported on Windows: export one on a Mac or on Linux, copy the bundle to this computer, and add its folder in Models, under Folders.</source>
        <translation>Windows 上无法导出模型：请在 Mac 或 Linux 上导出，把模型包复制到这台电脑，再到“模型”的“文件夹”中添加它所在的文件夹。</translation>
    </message>
    <message>
        <source>Needs about {needs}; this machine does not tell its memory.</source>
        <translation>大约需要 {needs}；无法得知这台电脑的内存大小。</translation>
    </message>
    <message>
        <source>Needs about {needs} and this machine has {total}: choose a smaller one.</source>
        <translation>大约需要 {needs}，而这台电脑有 {total}：请选择小一些的模型。</translation>
    </message>
    <message>
        <source>Needs about {needs} of {total}, and {free} are free now: close other programs first.</source>
        <translation>大约需要 {total} 中的 {needs}，目前可用 {free}：请先关闭其他程序。</translation>
    </message>
    <message>
        <source>Needs about {needs} of {total}: little is left for other programs.</source>
        <translation>大约需要 {total} 中的 {needs}：留给其他程序的内存很少。</translation>
    </message>
    <message>
        <source>Needs about {needs} of {total}.</source>
        <translation>大约需要 {total} 内存中的 {needs}。</translation>
    </message>
</context>
<context>
    <name>ModelLibrary</name>
    <message>
        <source>This model is no longer here.</source>
        <translation>此模型已不在这里。</translation>
    </message>
    <message>
        <source>{folder} holds no model any more; nothing was removed.</source>
        <translation>{folder} 中已没有模型，未移除任何内容。</translation>
    </message>
    <message>
        <source>{folder} holds more than a model; nothing was removed. Remove it in the file manager.</source>
        <translation>{folder} 里不只有模型，什么都没有删除。请在文件管理器中删除它。</translation>
    </message>
    <message>
        <source>{folder} could not be moved to the trash; delete it for good instead.</source>
        <translation>无法将 {folder} 移到回收站；请改为永久删除。</translation>
    </message>
    <message>
        <source>{folder} could not be removed ({reason}); check its permissions.</source>
        <translation>无法移除 {folder}（{reason}）；请检查其权限。</translation>
    </message>
</context>
<context>
    <name>ModelMenu</name>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>What you write leaves this computer, to {url}.</source>
        <translation>您写下的内容会离开这台电脑，发送到 {url}。</translation>
    </message>
    <message>
        <source>Manage Models…</source>
        <translation>管理模型…</translation>
    </message>
</context>
<context>
    <name>Models</name>
    <message>
        <source>Damaged: it cannot be loaded</source>
        <translation>已损坏：无法加载</translation>
    </message>
    <message>
        <source>{count} tokens</source>
        <translation>{count} 个词元</translation>
    </message>
    <message>
        <source>too large for this computer</source>
        <translation>对这台电脑来说太大</translation>
    </message>
    <message>
        <source>memory is tight</source>
        <translation>内存紧张</translation>
    </message>
    <message>
        <source>Comes with Falconet</source>
        <translation>Falconet 自带</translation>
    </message>
    <message>
        <source>Fits this computer.</source>
        <translation>适合这台电脑。</translation>
    </message>
    <message>
        <source>Fits, but memory is tight.</source>
        <translation>可以运行，但内存紧张。</translation>
    </message>
    <message>
        <source>Too large for this computer.</source>
        <translation>对这台电脑来说太大。</translation>
    </message>
    <message>
        <source>Never</source>
        <translation>从未</translation>
    </message>
    <message>
        <source>Today, {time}</source>
        <translation>今天 {time}</translation>
    </message>
    <message>
        <source>Getting ready</source>
        <translation>正在准备</translation>
    </message>
    <message>
        <source>Downloading the weights</source>
        <translation>正在下载权重</translation>
    </message>
    <message>
        <source>Checking the weights</source>
        <translation>正在检查权重</translation>
    </message>
    <message>
        <source>Measuring what each matrix needs</source>
        <translation>正在测量每个矩阵的需求</translation>
    </message>
    <message>
        <source>Listening to the model on a text</source>
        <translation>正在用一段文字采集模型的激活</translation>
    </message>
    <message>
        <source>Compressing the weights</source>
        <translation>正在压缩权重</translation>
    </message>
    <message>
        <source>Building the Core ML program</source>
        <translation>正在构建 Core ML 程序</translation>
    </message>
    <message>
        <source>Writing the package</source>
        <translation>正在写入模型包</translation>
    </message>
    <message>
        <source>Finding every weight in the package</source>
        <translation>正在定位包中的每个权重</translation>
    </message>
    <message>
        <source>Comparing with the original</source>
        <translation>正在与原模型核对</translation>
    </message>
    <message>
        <source>Sealing the files</source>
        <translation>正在封存文件</translation>
    </message>
    <message>
        <source>{done} of {total}</source>
        <translation>{done} / 共 {total}</translation>
    </message>
    <message>
        <source>{amount} a second</source>
        <translation>每秒 {amount}</translation>
    </message>
    <message>
        <source>about {time} left</source>
        <translation>大约还需 {time}</translation>
    </message>
    <message>
        <source>{count} s</source>
        <translation>{count} 秒</translation>
    </message>
    <message>
        <source>{count} min</source>
        <translation>{count} 分钟</translation>
    </message>
    <message>
        <source>{hours} h {minutes} min</source>
        <translation>{hours} 小时 {minutes} 分钟</translation>
    </message>
    <message>
        <source>{count} billion</source>
        <translation>{count} 十亿</translation>
    </message>
    <message>
        <source>{count} million</source>
        <translation>{count} 百万</translation>
    </message>
    <message>
        <source>weights</source>
        <translation>个权重</translation>
    </message>
    <message>
        <source>matrices</source>
        <translation>个矩阵</translation>
    </message>
    <message>
        <source>layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>步</translation>
    </message>
    <message>
        <source>smallest, the usual choice</source>
        <translation>最小，通常的选择</translation>
    </message>
    <message>
        <source>half as large again, closer to the original</source>
        <translation>大一半，更接近原模型</translation>
    </message>
    <message>
        <source>twice as large, hardly to be told from the original</source>
        <translation>大一倍，与原模型几乎没有差别</translation>
    </message>
    <message>
        <source>about as small, plain integers</source>
        <translation>差不多一样小，普通整数</translation>
    </message>
    <message>
        <source>twice as large, plain integers</source>
        <translation>大一倍，普通整数</translation>
    </message>
    <message>
        <source>not compressed, four times as large</source>
        <translation>不压缩，四倍大小</translation>
    </message>
</context>
<context>
    <name>ModelsController</name>
    <message>
        <source>The service that answered last</source>
        <translation>上次使用的服务</translation>
    </message>
    <message>
        <source>Load {name} anyway?</source>
        <translation>仍要加载 {name} 吗？</translation>
    </message>
    <message>
        <source>{sentence} The computer may become very slow, or end the model.</source>
        <translation>{sentence}电脑可能会变得很慢，或者终止模型。</translation>
    </message>
    <message>
        <source>Load Anyway</source>
        <translation>仍然加载</translation>
    </message>
    <message>
        <source>{name} is not here any more.</source>
        <translation>{name} 已不在这里。</translation>
    </message>
    <message>
        <source>{name} is not here any more; {model} answers in its place.</source>
        <translation>{name} 已不在这里，改由 {model} 回答。</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>Enter the Key…</source>
        <translation>输入密钥…</translation>
    </message>
    <message>
        <source>A folder where bundles lie</source>
        <translation>存放模型包的文件夹</translation>
    </message>
</context>
<context>
    <name>ModelsDialog</name>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>On This Computer</source>
        <translation>这台电脑上</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>导出</translation>
    </message>
    <message>
        <source>Remote Services</source>
        <translation>远程服务</translation>
    </message>
</context>
<context>
    <name>Progress</name>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>{file} is being read: {done} of {size}</source>
        <translation>正在读取 {file}：{done} / {size}</translation>
    </message>
    <message>
        <source>Chats are being added: {done} of {count}</source>
        <translation>正在添加对话：{done} / {count}</translation>
    </message>
    <message>
        <source>about {time} left</source>
        <translation>大约还需 {time}</translation>
    </message>
</context>
<context>
    <name>RemovalController</name>
    <message>
        <source>Delete {name} for good?</source>
        <translation>要永久删除 {name} 吗？</translation>
    </message>
    <message>
        <source>{path} is deleted at once. This cannot be undone.</source>
        <translation>{path} 会立即删除，且无法撤销。</translation>
    </message>
    <message>
        <source>Delete for Good</source>
        <translation>永久删除</translation>
    </message>
    <message>
        <source>Move {name} to the trash?</source>
        <translation>要将 {name} 移到回收站吗？</translation>
    </message>
    <message>
        <source>{path} is moved to the trash of the system. Chats stay.</source>
        <translation>{path} 会被移到系统的回收站。对话会保留。</translation>
    </message>
    <message>
        <source>Move to Trash</source>
        <translation>移到回收站</translation>
    </message>
    <message>
        <source>Delete for good…</source>
        <translation>永久删除…</translation>
    </message>
</context>
<context>
    <name>SamplingForm</name>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>0 always takes the likeliest word; higher is more varied.</source>
        <translation>为 0 时总是选择可能性最大的词；数值越大，回答越多样。</translation>
    </message>
    <message>
        <source>{name} must be a number from 0 to 100.</source>
        <translation>{name} 必须是 0 到 100 之间的数。</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Only the likeliest words that together have this share; 1 keeps all.</source>
        <translation>只保留合计达到此概率的最可能的词；为 1 时全部保留。</translation>
    </message>
    <message>
        <source>{name} must be a number above 0 and no more than 1.</source>
        <translation>{name} 必须是大于 0 且不大于 1 的数。</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Only this many of the likeliest words; 0 keeps all.</source>
        <translation>只保留这么多个最可能的词；为 0 时全部保留。</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Only words at least this likely, as a share of the likeliest; 0 keeps all.</source>
        <translation>只保留概率不低于最可能的词的这一比例的词；为 0 时全部保留。</translation>
    </message>
    <message>
        <source>{name} must be a number from 0 to 1.</source>
        <translation>{name} 必须是 0 到 1 之间的数。</translation>
    </message>
    <message>
        <source>Repetition penalty</source>
        <translation>重复惩罚</translation>
    </message>
    <message>
        <source>Above 1, words that were just used become less likely; 1 is off.</source>
        <translation>大于 1 时，刚用过的词可能性降低；为 1 时不起作用。</translation>
    </message>
    <message>
        <source>{name} must be a number from 0.1 to 10.</source>
        <translation>{name} 必须是 0.1 到 10 之间的数。</translation>
    </message>
    <message>
        <source>Longest answer</source>
        <translation>回答的最大长度</translation>
    </message>
    <message>
        <source>In tokens, about three quarters of a word each.</source>
        <translation>以词元为单位，一个词元约为四分之三个英文单词。</translation>
    </message>
    <message>
        <source>{name} must be a whole number from 0 to 1,000,000.</source>
        <translation>{name} 必须是 0 到 1,000,000 之间的整数。</translation>
    </message>
    <message>
        <source>{name} must be a whole number from 1 to 1,000,000.</source>
        <translation>{name} 必须是 1 到 1,000,000 之间的整数。</translation>
    </message>
    <message>
        <source>until the context is full</source>
        <translation>直到上下文用完</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>The same seed gives the same answer to the same chat.</source>
        <translation>相同的种子对相同的对话给出相同的回答。</translation>
    </message>
    <message>
        <source>{name} must be a whole number from 0 to 4,294,967,295.</source>
        <translation>{name} 必须是 0 到 4,294,967,295 之间的整数。</translation>
    </message>
    <message>
        <source>another each time</source>
        <translation>每次不同</translation>
    </message>
    <message>
        <source>When the chat is longer than the context</source>
        <translation>对话超出上下文时</translation>
    </message>
    <message>
        <source>What the model reads of it. Nothing is ever deleted.</source>
        <translation>模型会读取其中的哪些部分。任何内容都不会被删除。</translation>
    </message>
    <message>
        <source>Leave out the oldest</source>
        <translation>略去最早的内容</translation>
    </message>
    <message>
        <source>Leave out the middle</source>
        <translation>略去中间的内容</translation>
    </message>
    <message>
        <source>Stop and say so</source>
        <translation>停止并提示</translation>
    </message>
    <message>
        <source>Each line ends the answer where it appears; \n stands for a new line.</source>
        <translation>每行是一个停止文本，回答中出现它时即结束；\n 表示换行。</translation>
    </message>
    <message>
        <source>Stop texts</source>
        <translation>停止文本</translation>
    </message>
</context>
<context>
    <name>ServiceCheck</name>
    <message>
        <source>{model} answers.</source>
        <translation>{model} 已作答。</translation>
    </message>
    <message numerus="yes">
        <source>The service offers %n model(s).</source>
        <translation>
            <numerusform>该服务提供 %n 个模型。</numerusform>
        </translation>
    </message>
    <message>
        <source>The service could not be asked ({reason}); check the address.</source>
        <translation>无法联系该服务（{reason}），请检查地址。</translation>
    </message>
</context>
<context>
    <name>ServiceDialog</name>
    <message>
        <source>Edit Service</source>
        <translation>编辑服务</translation>
    </message>
    <message>
        <source>Add Service</source>
        <translation>添加服务</translation>
    </message>
    <message>
        <source>the first that the service names</source>
        <translation>服务列出的第一个模型</translation>
    </message>
    <message>
        <source>List</source>
        <translation>列出</translation>
    </message>
    <message>
        <source>Ask the service which models it offers.</source>
        <translation>询问该服务提供哪些模型。</translation>
    </message>
    <message>
        <source>kept in the keychain; type to replace it</source>
        <translation>已保存在钥匙串中；输入可替换</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>&amp;Name</source>
        <translation>名称(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Address</source>
        <translation>地址(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Key</source>
        <translation>密钥(&amp;K)</translation>
    </message>
    <message>
        <source>What you write to this service, and the conversation before it, leaves this computer.</source>
        <translation>您写给此服务的内容以及之前的对话都会离开这台电脑。</translation>
    </message>
    <message>
        <source>What the test found</source>
        <translation>测试结果</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>测试</translation>
    </message>
    <message>
        <source>Send the word “Hello” to the service and wait for its answer.</source>
        <translation>向服务发送“Hello”并等待回答。</translation>
    </message>
    <message>
        <source>Asking the service…</source>
        <translation>正在询问服务…</translation>
    </message>
    <message>
        <source>The address must begin with http:// or https:// and name a server.</source>
        <translation>地址必须以 http:// 或 https:// 开头，并包含服务器名。</translation>
    </message>
</context>
<context>
    <name>ServicesController</name>
    <message>
        <source>Remove {name}?</source>
        <translation>要移除 {name} 吗？</translation>
    </message>
    <message>
        <source>Its address is forgotten and its key is deleted from the keychain. Chats stay.</source>
        <translation>它的地址会被清除，密钥会从钥匙串中删除。对话会保留。</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
</context>
<context>
    <name>ServicesPage</name>
    <message>
        <source>While a service answers, what you write in a chat leaves this computer: the whole conversation is sent to the address of the service. Its key is kept in the keychain of the system.</source>
        <translation>由服务回答时，您在对话中写下的内容会离开这台电脑：整个对话都会发送到该服务的地址。密钥保存在系统的钥匙串中。</translation>
    </message>
    <message>
        <source>Remote services</source>
        <translation>远程服务</translation>
    </message>
    <message>
        <source>No service was added. Add one that speaks the OpenAI protocol, by its address.</source>
        <translation>尚未添加服务。请用地址添加一个支持 OpenAI 协议的服务。</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>使用</translation>
    </message>
    <message>
        <source>Add…</source>
        <translation>添加…</translation>
    </message>
    <message>
        <source>Edit…</source>
        <translation>编辑…</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>移除…</translation>
    </message>
    <message>
        <source>In use</source>
        <translation>使用中</translation>
    </message>
</context>
<context>
    <name>SettingsDialog</name>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>&amp;Appearance:</source>
        <translation>外观(&amp;A)：</translation>
    </message>
    <message>
        <source>&amp;Text size:</source>
        <translation>文字大小(&amp;T)：</translation>
    </message>
    <message>
        <source>Text &amp;width:</source>
        <translation>文字宽度(&amp;W)：</translation>
    </message>
    <message>
        <source>&amp;Motion:</source>
        <translation>动态效果(&amp;M)：</translation>
    </message>
    <message>
        <source>&amp;Language:</source>
        <translation>语言(&amp;L)：</translation>
    </message>
    <message>
        <source>&amp;Send with:</source>
        <translation>发送键(&amp;S)：</translation>
    </message>
    <message>
        <source>Long &amp;chats:</source>
        <translation>长对话(&amp;C)：</translation>
    </message>
    <message>
        <source>Compute &amp;on:</source>
        <translation>计算设备(&amp;O)：</translation>
    </message>
    <message>
        <source>&amp;High contrast</source>
        <translation>高对比度(&amp;H)</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Narrow</source>
        <translation>窄</translation>
    </message>
    <message>
        <source>Wide</source>
        <translation>宽</translation>
    </message>
    <message>
        <source>Reduced</source>
        <translation>减少</translation>
    </message>
    <message>
        <source>Full</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Cmd+Enter</source>
        <translation>Cmd+Enter</translation>
    </message>
    <message>
        <source>Ctrl+Enter</source>
        <translation>Ctrl+Enter</translation>
    </message>
    <message>
        <source>Enter</source>
        <translation>Enter</translation>
    </message>
    <message>
        <source>Leave out the oldest</source>
        <translation>略去最早的内容</translation>
    </message>
    <message>
        <source>Leave out the middle</source>
        <translation>略去中间的内容</translation>
    </message>
    <message>
        <source>Stop and say so</source>
        <translation>停止并提示</translation>
    </message>
    <message>
        <source>What the model reads of a new chat once it is longer than its context. Nothing is ever deleted.</source>
        <translation>新对话超出模型的上下文后，模型会读取其中的哪些部分。任何内容都不会被删除。</translation>
    </message>
    <message>
        <source>Where models of this computer are computed. The one that is loaded is loaded anew.</source>
        <translation>本机模型在哪里计算。已加载的模型会重新加载。</translation>
    </message>
    <message>
        <source>The best there is</source>
        <translation>自动选择最佳设备</translation>
    </message>
    <message>
        <source>Graphics processor (Core ML)</source>
        <translation>图形处理器（Core ML）</translation>
    </message>
    <message>
        <source>NVIDIA graphics card</source>
        <translation>NVIDIA 显卡</translation>
    </message>
    <message>
        <source>Neural Engine (Core ML)</source>
        <translation>神经网络引擎（Core ML）</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>处理器</translation>
    </message>
</context>
<context>
    <name>ShortcutSheet</name>
    <message>
        <source>Keyboard Shortcuts</source>
        <translation>键盘快捷键</translation>
    </message>
    <message>
        <source>Find a command or a key</source>
        <translation>查找命令或按键</translation>
    </message>
</context>
<context>
    <name>Sidebar</name>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>folded</source>
        <translation>已折叠</translation>
    </message>
    <message>
        <source>unfolded</source>
        <translation>已展开</translation>
    </message>
    <message>
        <source>Folder {name}, {state}</source>
        <translation>文件夹 {name}，{state}</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>已置顶</translation>
    </message>
    <message>
        <source>an answer is being written</source>
        <translation>正在回答</translation>
    </message>
    <message>
        <source>with a draft</source>
        <translation>有草稿</translation>
    </message>
    <message>
        <source>Pinned</source>
        <translation>置顶</translation>
    </message>
    <message>
        <source>Today</source>
        <translation>今天</translation>
    </message>
    <message>
        <source>Yesterday</source>
        <translation>昨天</translation>
    </message>
    <message>
        <source>Last seven days</source>
        <translation>最近七天</translation>
    </message>
    <message>
        <source>Older</source>
        <translation>更早</translation>
    </message>
    <message>
        <source>Archive</source>
        <translation>归档</translation>
    </message>
    <message>
        <source>Chats</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>List of chats</source>
        <translation>对话列表</translation>
    </message>
    <message>
        <source>Search results</source>
        <translation>搜索结果</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Search all chats</source>
        <translation>搜索所有对话</translation>
    </message>
    <message>
        <source>Show archived chats</source>
        <translation>显示已归档的对话</translation>
    </message>
    <message>
        <source>Nothing was found for “{query}”.</source>
        <translation>未找到与“{query}”相关的内容。</translation>
    </message>
    <message>
        <source>No chat is in the archive.</source>
        <translation>没有已归档的对话。</translation>
    </message>
    <message>
        <source>Your chats will be listed here. Write a message to begin one.</source>
        <translation>您的对话会列在这里。写一条消息即可开始。</translation>
    </message>
</context>
<context>
    <name>TextSize</name>
    <message>
        <source>Text size in percent</source>
        <translation>文字大小（百分比）</translation>
    </message>
</context>
<context>
    <name>Thoughts</name>
    <message>
        <source>Thinking… {seconds} s</source>
        <translation>思考中… {seconds} 秒</translation>
    </message>
    <message>
        <source>Thoughts</source>
        <translation>思考过程</translation>
    </message>
    <message>
        <source>Hide what the model thought</source>
        <translation>隐藏模型的思考过程</translation>
    </message>
    <message>
        <source>Show what the model thought</source>
        <translation>显示模型的思考过程</translation>
    </message>
</context>
<context>
    <name>Told</name>
    <message>
        <source>The files of the model cannot be used.</source>
        <translation>模型的文件无法使用。</translation>
    </message>
    <message>
        <source>The conversation is longer than the model can read: begin a new chat, or let the oldest be left out.</source>
        <translation>对话超出了模型能读取的长度：请新建对话，或让最早的内容被省略。</translation>
    </message>
    <message>
        <source>The memory of the graphics card is full: close other programs, or choose a smaller model.</source>
        <translation>显卡内存已满：请关闭其他程序，或选择较小的模型。</translation>
    </message>
    <message>
        <source>The computer&apos;s memory is full: close other programs, or choose a smaller model.</source>
        <translation>电脑内存已满：请关闭其他程序，或选择较小的模型。</translation>
    </message>
    <message>
        <source>The system ended the model, as happens when memory runs out: close other programs, or choose a smaller model.</source>
        <translation>系统结束了模型的进程，这通常是因为内存不足：请关闭其他程序，或选择较小的模型。</translation>
    </message>
    <message>
        <source>The model stopped working: restart it.</source>
        <translation>模型已停止工作：请重新启动它。</translation>
    </message>
    <message>
        <source>Core ML could not run the model.</source>
        <translation>Core ML 无法运行该模型。</translation>
    </message>
    <message>
        <source>This computer cannot run the model in this way.</source>
        <translation>这台电脑无法以这种方式运行该模型。</translation>
    </message>
    <message>
        <source>The model cannot answer.</source>
        <translation>模型无法回答。</translation>
    </message>
    <message>
        <source>The model computed nothing that an answer can be chosen from.</source>
        <translation>模型的计算结果无效，无法从中得出回答。</translation>
    </message>
    <message>
        <source>The model cannot be asked this conversation as it is.</source>
        <translation>这段对话目前的样子无法交给模型回答。</translation>
    </message>
    <message>
        <source>A value that was given cannot be used.</source>
        <translation>给出的某个值无法使用。</translation>
    </message>
    <message>
        <source>The remote service cannot be reached: check its address and the network.</source>
        <translation>无法连接远程服务：请检查其地址和网络。</translation>
    </message>
    <message>
        <source>The remote service refused the key: enter a valid one.</source>
        <translation>远程服务拒绝了密钥：请输入有效的密钥。</translation>
    </message>
    <message>
        <source>The remote service asks to wait: try again later.</source>
        <translation>远程服务要求稍候：请稍后重试。</translation>
    </message>
    <message>
        <source>The remote service gave no answer.</source>
        <translation>远程服务没有给出回答。</translation>
    </message>
    <message>
        <source>A part of the program is not installed.</source>
        <translation>程序的某个部分尚未安装。</translation>
    </message>
    <message>
        <source>The disk is full: free some space.</source>
        <translation>磁盘已满：请释放一些空间。</translation>
    </message>
    <message>
        <source>The folder of your chats cannot be written.</source>
        <translation>无法写入保存对话的文件夹。</translation>
    </message>
    <message>
        <source>Another program holds your chats: close it, and try again.</source>
        <translation>另一个程序正在占用您的对话：请关闭它后重试。</translation>
    </message>
    <message>
        <source>The file of your chats is damaged: start the program again.</source>
        <translation>保存对话的文件已损坏：请重新启动程序。</translation>
    </message>
    <message>
        <source>The file of chats cannot be read or written.</source>
        <translation>无法读取或写入对话文件。</translation>
    </message>
    <message>
        <source>Your chats cannot be read or changed.</source>
        <translation>无法读取或更改您的对话。</translation>
    </message>
    <message>
        <source>The PDF cannot be written.</source>
        <translation>无法写入 PDF 文件。</translation>
    </message>
    <message>
        <source>The settings cannot be kept.</source>
        <translation>无法保存设置。</translation>
    </message>
    <message>
        <source>The disk has too little room for this export.</source>
        <translation>磁盘空间不足，无法完成此次导出。</translation>
    </message>
    <message>
        <source>This computer has too little memory for this export.</source>
        <translation>这台电脑的内存不足，无法完成此次导出。</translation>
    </message>
    <message>
        <source>The model could not be downloaded from the Hugging Face Hub.</source>
        <translation>无法从 Hugging Face Hub 下载该模型。</translation>
    </message>
    <message>
        <source>No model was found there.</source>
        <translation>没有找到该模型。</translation>
    </message>
    <message>
        <source>This is no Falcon, or its config.json is damaged.</source>
        <translation>这不是 Falcon 模型，或者它的 config.json 已损坏。</translation>
    </message>
    <message>
        <source>The weights of this model cannot be exported.</source>
        <translation>无法导出该模型的权重。</translation>
    </message>
    <message>
        <source>The export cannot be made.</source>
        <translation>无法完成导出。</translation>
    </message>
    <message>
        <source>The exported program is not as it should be.</source>
        <translation>导出的程序不符合要求。</translation>
    </message>
    <message>
        <source>The export did not pass the comparison with the original.</source>
        <translation>导出的模型未通过与原模型的比对。</translation>
    </message>
</context>
<context>
    <name>TransferController</name>
    <message>
        <source>Markdown (*.md)</source>
        <translation>Markdown (*.md)</translation>
    </message>
    <message>
        <source>Web page (*.html)</source>
        <translation>网页 (*.html)</translation>
    </message>
    <message>
        <source>PDF (*.pdf)</source>
        <translation>PDF (*.pdf)</translation>
    </message>
    <message>
        <source>JSON, with every alternative (*.json)</source>
        <translation>JSON，包含所有版本 (*.json)</translation>
    </message>
    <message>
        <source>Archive of Markdown, a file for each chat (*.zip)</source>
        <translation>Markdown 压缩包，每个对话一个文件 (*.zip)</translation>
    </message>
    <message>
        <source>There are no chats to export.</source>
        <translation>没有可导出的对话。</translation>
    </message>
    <message>
        <source>Export Chats</source>
        <translation>导出对话</translation>
    </message>
    <message>
        <source>Replace {name}?</source>
        <translation>替换“{name}”？</translation>
    </message>
    <message>
        <source>A file of this name is there already. What it holds is lost.</source>
        <translation>已有同名文件，其内容将会丢失。</translation>
    </message>
    <message>
        <source>Replace</source>
        <translation>替换</translation>
    </message>
    <message>
        <source>{file} is being written…</source>
        <translation>正在写入 {file}…</translation>
    </message>
    <message>
        <source>Chats are being written to {file}…</source>
        <translation>正在将对话写入 {file}…</translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) written to {file}.</source>
        <translation>
            <numerusform>已将 %n 个对话写入 {file}。</numerusform>
        </translation>
    </message>
    <message>
        <source>Import Chats</source>
        <translation>导入对话</translation>
    </message>
    <message>
        <source>Chats (*.json *.zip);;All files (*)</source>
        <translation>对话 (*.json *.zip);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Chats are being imported: wait until they are there, then import the others.</source>
        <translation>正在导入对话：请等导入完成后再导入其他文件。</translation>
    </message>
    <message>
        <source>The import was cancelled; no chats were added.</source>
        <translation>导入已取消；没有添加任何对话。</translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) were imported.</source>
        <translation>
            <numerusform>已导入 %n 个对话。</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>UndoBar</name>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message>
        <source>Welcome to Falconet</source>
        <translation>欢迎使用 Falconet</translation>
    </message>
    <message>
        <source>Everything stays on this computer: the model runs here, and your chats are kept here. Nothing is sent anywhere unless you add a remote service yourself.</source>
        <translation>一切都留在这台电脑上：模型在这里运行，对话也保存在这里。除非您自行添加远程服务，否则不会向外发送任何内容。</translation>
    </message>
    <message>
        <source>Which model should answer?</source>
        <translation>由哪个模型来回答？</translation>
    </message>
    <message>
        <source>A larger model knows more and answers more slowly. It takes about as much memory as space on the disk, and a gigabyte or two more. You can choose another at any time.</source>
        <translation>模型越大，知道的越多，回答也越慢。它占用的内存大约是它在磁盘上的大小，再加一两个 GB。您可以随时换用别的模型。</translation>
    </message>
    <message>
        <source>Start Chatting</source>
        <translation>开始对话</translation>
    </message>
    <message>
        <source>More Models…</source>
        <translation>更多模型…</translation>
    </message>
</context>
<context>
    <name>WelcomeController</name>
    <message>
        <source>Comes with Falconet: {size}, quick, good for simple questions.</source>
        <translation>随 Falconet 附带：{size}，速度快，适合简单的问题。</translation>
    </message>
    <message>
        <source>Knows far more. {download} to download and {disk} on the disk in the end, made ready in the background while the small one answers. {memory}</source>
        <translation>知识丰富得多。需下载 {download}，最终占用磁盘 {disk}；后台准备期间由小模型回答。{memory}</translation>
    </message>
    <message>
        <source>{name} is ready.</source>
        <translation>{name} 已就绪。</translation>
    </message>
</context>
<context>
    <name>WritingEdit</name>
    <message>
        <source>A message is text only: a picture cannot be part of it.</source>
        <translation>消息只能是文本：其中不能包含图片。</translation>
    </message>
    <message>
        <source>This text has a line of more than {most} characters: break it into shorter ones.</source>
        <translation>此文本中有一行超过 {most} 个字符：请先将其拆成较短的行。</translation>
    </message>
    <message>
        <source>{name} is a folder: choose the files in it.</source>
        <translation>{name} 是文件夹：请选择其中的文件。</translation>
    </message>
    <message>
        <source>{name} cannot be read: look whether it is there and may be read.</source>
        <translation>无法读取 {name}：请检查它是否存在以及是否允许读取。</translation>
    </message>
    <message>
        <source>{name} is too long for one message: paste the part that matters.</source>
        <translation>{name} 太长，放不进一条消息：请只粘贴需要的部分。</translation>
    </message>
    <message>
        <source>{name} is a picture, and a message is text only.</source>
        <translation>{name} 是图片，而消息只能是文本。</translation>
    </message>
    <message>
        <source>{name} is not text in UTF-8: save it as such, or copy its words and paste them.</source>
        <translation>{name} 不是 UTF-8 文本：请另存为 UTF-8，或复制其中的文字后粘贴。</translation>
    </message>
    <message>
        <source>{name} has a line of more than {most} characters: break it into shorter ones.</source>
        <translation>{name} 中有一行超过 {most} 个字符：请将其拆成较短的行。</translation>
    </message>
</context>
</TS>
