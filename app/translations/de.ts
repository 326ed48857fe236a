<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name>Actions</name>
    <message>
        <source>Open &amp;recent</source>
        <translation>&amp;Zuletzt geöffnet</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Open…</source>
        <translation>&amp;Öffnen…</translation>
    </message>
    <message>
        <source>Open the sample &amp;clip</source>
        <translation>&amp;Beispielclip öffnen</translation>
    </message>
    <message>
        <source>&amp;Save project</source>
        <translation>Projekt &amp;speichern</translation>
    </message>
    <message>
        <source>Save project &amp;as…</source>
        <translation>Projekt speichern &amp;unter…</translation>
    </message>
    <message>
        <source>Open &amp;preset…</source>
        <translation>&amp;Vorlage öffnen…</translation>
    </message>
    <message>
        <source>Sa&amp;ve preset…</source>
        <translation>Vorla&amp;ge speichern…</translation>
    </message>
    <message>
        <source>Load a re&amp;ference clip…</source>
        <translation>&amp;Referenzclip laden…</translation>
    </message>
    <message>
        <source>Re&amp;move the reference</source>
        <translation>Referenz ent&amp;fernen</translation>
    </message>
    <message>
        <source>&amp;Export…</source>
        <translation>&amp;Exportieren…</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>Bee&amp;nden</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>&amp;Bearbeiten</translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <translation>&amp;Rückgängig</translation>
    </message>
    <message>
        <source>&amp;Redo</source>
        <translation>&amp;Wiederholen</translation>
    </message>
    <message>
        <source>&amp;Copy settings</source>
        <translation>Einstellungen &amp;kopieren</translation>
    </message>
    <message>
        <source>&amp;Paste settings</source>
        <translation>Einstellungen &amp;einfügen</translation>
    </message>
    <message>
        <source>Reset &amp;all settings</source>
        <translation>&amp;Alle Einstellungen zurücksetzen</translation>
    </message>
    <message>
        <source>S&amp;wap settings A and B</source>
        <translation>Einstellungen A und B &amp;tauschen</translation>
    </message>
    <message>
        <source>Sp&amp;lit the shot here</source>
        <translation>Szene hier &amp;schneiden</translation>
    </message>
    <message>
        <source>Mer&amp;ge with the shot before</source>
        <translation>&amp;Mit der Szene davor verbinden</translation>
    </message>
    <message>
        <source>&amp;Draw a face…</source>
        <translation>Gesicht &amp;zeichnen…</translation>
    </message>
    <message>
        <source>Re&amp;move drawn face</source>
        <translation>Gezeichnetes Gesicht ent&amp;fernen</translation>
    </message>
    <message>
        <source>Pa&amp;int the mask</source>
        <translation>Maske ma&amp;len</translation>
    </message>
    <message>
        <source>Paint</source>
        <translation>Malen</translation>
    </message>
    <message>
        <source>&amp;Erase from the mask</source>
        <translation>Von der Maske ra&amp;dieren</translation>
    </message>
    <message>
        <source>Erase</source>
        <translation>Radieren</translation>
    </message>
    <message>
        <source>Undo all painting of this &amp;face&apos;s mask</source>
        <translation>Alles Gemalte auf diesem &amp;Gesicht verwerfen</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>M&amp;odels…</source>
        <translation>M&amp;odelle…</translation>
    </message>
    <message>
        <source>One fr&amp;ame back</source>
        <translation>Ein &amp;Bild zurück</translation>
    </message>
    <message>
        <source>Smaller &amp;brush</source>
        <translation>Kleinerer &amp;Pinsel</translation>
    </message>
    <message>
        <source>Open a fol&amp;der of images…</source>
        <translation>Or&amp;dner mit Bildern öffnen…</translation>
    </message>
    <message>
        <source>Find a &amp;setting…</source>
        <translation>Einstellung s&amp;uchen…</translation>
    </message>
    <message>
        <source>Larger brus&amp;h</source>
        <translation>Größerer P&amp;insel</translation>
    </message>
    <message>
        <source>Prefere&amp;nces…</source>
        <translation>&amp;Voreinstellungen…</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>&amp;Side by side</source>
        <translation>&amp;Nebeneinander</translation>
    </message>
    <message>
        <source>Side by side</source>
        <translation>Doppelt</translation>
    </message>
    <message>
        <source>&amp;Wipe</source>
        <translation>&amp;Wischen</translation>
    </message>
    <message>
        <source>&amp;Difference</source>
        <translation>&amp;Differenz</translation>
    </message>
    <message>
        <source>&amp;Residual</source>
        <translation>&amp;Residuum</translation>
    </message>
    <message>
        <source>&amp;Uncertainty</source>
        <translation>&amp;Unsicherheit</translation>
    </message>
    <message>
        <source>&amp;Mask</source>
        <translation>&amp;Maske</translation>
    </message>
    <message>
        <source>A a&amp;gainst B, not the footage</source>
        <translation>A &amp;gegen B zeigen</translation>
    </message>
    <message>
        <source>&amp;Fit to the window</source>
        <translation>Ans &amp;Fenster anpassen</translation>
    </message>
    <message>
        <source>Fit</source>
        <translation>Ganz</translation>
    </message>
    <message>
        <source>&amp;100 %</source>
        <translation>&amp;100 %</translation>
    </message>
    <message>
        <source>1:1</source>
        <translation>1:1</translation>
    </message>
    <message>
        <source>&amp;200 %</source>
        <translation>&amp;200 %</translation>
    </message>
    <message>
        <source>2:1</source>
        <translation>2:1</translation>
    </message>
    <message>
        <source>Export &amp;queue</source>
        <translation>Export&amp;aufträge</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>Aufträge</translation>
    </message>
    <message>
        <source>&amp;Play</source>
        <translation>&amp;Wiedergabe</translation>
    </message>
    <message>
        <source>&amp;Play or pause</source>
        <translation>&amp;Abspielen oder anhalten</translation>
    </message>
    <message>
        <source>Play &amp;backwards, faster</source>
        <translation>&amp;Rückwärts, schneller</translation>
    </message>
    <message>
        <source>&amp;Stop</source>
        <translation>&amp;Stopp</translation>
    </message>
    <message>
        <source>Play &amp;forwards, faster</source>
        <translation>&amp;Vorwärts, schneller</translation>
    </message>
    <message>
        <source>O&amp;ne frame on</source>
        <translation>Ein Bi&amp;ld weiter</translation>
    </message>
    <message>
        <source>To the in point</source>
        <translation>Zum In-Punkt</translation>
    </message>
    <message>
        <source>To the out point</source>
        <translation>Zum Out-Punkt</translation>
    </message>
    <message>
        <source>Set &amp;in point</source>
        <translation>&amp;In-Punkt setzen</translation>
    </message>
    <message>
        <source>[ In</source>
        <translation>[ In</translation>
    </message>
    <message>
        <source>Set &amp;out point</source>
        <translation>&amp;Out-Punkt setzen</translation>
    </message>
    <message>
        <source>Out ]</source>
        <translation>Out ]</translation>
    </message>
    <message>
        <source>&amp;Clear in and out</source>
        <translation>In und Out l&amp;öschen</translation>
    </message>
    <message>
        <source>&amp;Loop</source>
        <translation>S&amp;chleife</translation>
    </message>
    <message>
        <source>So&amp;und</source>
        <translation>&amp;Ton</translation>
    </message>
    <message>
        <source>Cancel the previe&amp;w</source>
        <translation>Vorschau abbrec&amp;hen</translation>
    </message>
    <message>
        <source>&amp;Render from in to out</source>
        <translation>Von In bis Out rech&amp;nen</translation>
    </message>
    <message>
        <source>Render</source>
        <translation>Rechnen</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>&amp;Keyboard shortcuts</source>
        <translation>Tasten&amp;kürzel</translation>
    </message>
    <message>
        <source>&amp;About FLAIR Studio</source>
        <translation>&amp;Über FLAIR Studio</translation>
    </message>
</context>
<context>
    <name>AutoBlock</name>
    <message>
        <source>Leave it to Auto again what happened to the footage</source>
        <translation>Wieder Auto überlassen, was dem Material widerfahren ist</translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>Auto</translation>
    </message>
    <message>
        <source>Looking at this shot…</source>
        <translation>Diese Szene wird angesehen…</translation>
    </message>
    <message>
        <source>This shot can&apos;t be read: nothing is assumed of the footage.</source>
        <translation>Diese Szene ist nicht lesbar: Über das Material wird nichts angenommen.</translation>
    </message>
    <message>
        <source>No face was found to judge by: nothing is assumed of the footage.</source>
        <translation>Kein Gesicht gefunden, an dem es sich zeigt: Über das Material wird nichts angenommen.</translation>
    </message>
    <message>
        <source>Already sharp: left as filmed.</source>
        <translation>Schon scharf: bleibt wie gefilmt.</translation>
    </message>
    <message>
        <source>Already sharp, and restored all the same.</source>
        <translation>Schon scharf und trotzdem restauriert.</translation>
    </message>
    <message>
        <source>Auto: {0}</source>
        <translation>Auto: {0}</translation>
    </message>
    <message>
        <source>Best at full resolution</source>
        <translation>Am besten in voller Auflösung</translation>
    </message>
    <message>
        <source>Best at about two thirds of the resolution</source>
        <translation>Am besten in etwa zwei Dritteln der Auflösung</translation>
    </message>
    <message>
        <source>Best at about half of the resolution</source>
        <translation>Am besten in etwa der halben Auflösung</translation>
    </message>
    <message>
        <source>Best at about a third of the resolution</source>
        <translation>Am besten in etwa einem Drittel der Auflösung</translation>
    </message>
    <message>
        <source>Best at about a quarter of the resolution</source>
        <translation>Am besten in etwa einem Viertel der Auflösung</translation>
    </message>
    <message>
        <source>Best at about {0:.0%} of the resolution</source>
        <translation>Am besten in etwa {0:.0%} der Auflösung</translation>
    </message>
    <message>
        <source>strong grain</source>
        <translation>starkes Korn</translation>
    </message>
    <message>
        <source>grain</source>
        <translation>Korn</translation>
    </message>
    <message>
        <source>a little grain</source>
        <translation>ein wenig Korn</translation>
    </message>
    <message>
        <source>Restored, it is very likely better.</source>
        <translation>Restauriert ist es sehr wahrscheinlich besser.</translation>
    </message>
    <message>
        <source>Restored, it is probably better.</source>
        <translation>Restauriert ist es wahrscheinlich besser.</translation>
    </message>
    <message>
        <source>Not asked: the look {0} decides.</source>
        <translation>Nicht gefragt: Der Stil {0} entscheidet.</translation>
    </message>
    <message>
        <source>Not asked: it is set under Degradation.</source>
        <translation>Nicht gefragt: Es ist unter Verschlechterung eingestellt.</translation>
    </message>
    <message>
        <source>Restored, it may be better: compare with your eyes.</source>
        <translation>Restauriert ist es vielleicht besser: Vergleiche mit den Augen.</translation>
    </message>
</context>
<context>
    <name>AutoControl</name>
    <message>
        <source>{0}: Auto</source>
        <translation>{0}: Auto</translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>Auto</translation>
    </message>
</context>
<context>
    <name>Background</name>
    <message>
        <source>A long clip: set in and out to follow its faces. Elsewhere each frame is searched.</source>
        <translation>Ein langer Clip: Setze In und Out, um seinen Gesichtern zu folgen. Sonst wird jedes Bild einzeln durchsucht.</translation>
    </message>
    <message>
        <source>Looking for faces…</source>
        <translation>Gesichter werden gesucht…</translation>
    </message>
    <message>
        <source>Making the sample clip</source>
        <translation>Beispielclip entsteht</translation>
    </message>
    <message>
        <source>Estimating the degradation</source>
        <translation>Schätze, was dem Material widerfuhr</translation>
    </message>
    <message>
        <source>Finding faces</source>
        <translation>Suche Gesichter</translation>
    </message>
    <message>
        <source>Restoring</source>
        <translation>Restauriere</translation>
    </message>
    <message>
        <source>Load a reference</source>
        <translation>Referenz laden</translation>
    </message>
    <message>
        <source>Comparing seeds</source>
        <translation>Vergleiche Startwerte</translation>
    </message>
    <message>
        <source>Estimate the degradation</source>
        <translation>Verschlechterung schätzen</translation>
    </message>
    <message>
        <source>Use the side-car</source>
        <translation>Begleitdatei übernehmen</translation>
    </message>
    <message>
        <source>The degradation was read from the file beside the clip.</source>
        <translation>Die Verschlechterung wurde aus der Datei neben dem Clip gelesen.</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Dismiss</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>BrushTools</name>
    <message>
        <source>Mask</source>
        <translation>Maske</translation>
    </message>
    <message>
        <source>Brush</source>
        <translation>Pinsel</translation>
    </message>
    <message>
        <source>Size of the brush</source>
        <translation>Größe des Pinsels</translation>
    </message>
    <message>
        <source>Size of the brush; [ and ] change it too</source>
        <translation>Größe des Pinsels; auch [ und ] ändern sie</translation>
    </message>
</context>
<context>
    <name>Card</name>
    <message>
        <source>Run earlier</source>
        <translation>Früher ausführen</translation>
    </message>
    <message>
        <source>Run later</source>
        <translation>Später ausführen</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Again</source>
        <translation>Noch einmal</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>What happened to this job</source>
        <translation>Was mit diesem Auftrag geschah</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Finding faces {0}/{1}</source>
        <translation>Suche Gesichter {0}/{1}</translation>
    </message>
    <message>
        <source>Finishing…</source>
        <translation>Wird abgeschlossen…</translation>
    </message>
    <message>
        <source>Frame {0}/{1}</source>
        <translation>Bild {0}/{1}</translation>
    </message>
    <message>
        <source> · {0} left</source>
        <translation> · noch {0}</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Wartet</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>Beginnt…</translation>
    </message>
    <message>
        <source>Paused. {0}</source>
        <translation>Angehalten. {0}</translation>
    </message>
    <message>
        <source>Cancelled; nothing was written</source>
        <translation>Abgebrochen; nichts wurde geschrieben</translation>
    </message>
    <message>
        <source>Show the folder</source>
        <translation>Ordner zeigen</translation>
    </message>
    <message>
        <source>Done.</source>
        <translation>Fertig.</translation>
    </message>
</context>
<context>
    <name>ChoiceControl</name>
    <message>
        <source>{0} – to be fetched</source>
        <translation>{0} – noch zu holen</translation>
    </message>
</context>
<context>
    <name>Control</name>
    <message>
        <source>As the wider scope has it</source>
        <translation>Wie im weiteren Bereich</translation>
    </message>
</context>
<context>
    <name>CrashDialog</name>
    <message>
        <source>Something went wrong</source>
        <translation>Etwas ging schief</translation>
    </message>
    <message>
        <source>FLAIR Studio met a fault of its own. Your work was kept aside and you can go on; if it happens again, please send the report.</source>
        <translation>FLAIR Studio ist auf einen eigenen Fehler gestoßen. Deine Arbeit wurde gesichert, und du kannst weitermachen; geschieht es wieder, schicke bitte den Bericht.</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Copy report</source>
        <translation>Bericht kopieren</translation>
    </message>
    <message>
        <source>Show report</source>
        <translation>Bericht zeigen</translation>
    </message>
    <message>
        <source>Put the report on the clipboard, to be pasted into a mail</source>
        <translation>Den Bericht in die Zwischenablage legen, um ihn in eine Mail einzufügen</translation>
    </message>
    <message>
        <source>See what is in it: the fault, versions, no file of yours</source>
        <translation>Sehen, was darin steht: der Fehler und die Versionen, keine deiner Dateien</translation>
    </message>
</context>
<context>
    <name>CurveControl</name>
    <message>
        <source>of the policy</source>
        <translation>des Verfahrens</translation>
    </message>
    <message>
        <source>linear</source>
        <translation>linear</translation>
    </message>
    <message>
        <source>at the end</source>
        <translation>am Ende</translation>
    </message>
    <message>
        <source>custom</source>
        <translation>eigener</translation>
    </message>
</context>
<context>
    <name>Dialogs</name>
    <message>
        <source>Take this over  (Enter)</source>
        <translation>Übernehmen  (Eingabe)</translation>
    </message>
    <message>
        <source>Leave everything as it was  (Esc)</source>
        <translation>Alles lassen, wie es war  (Esc)</translation>
    </message>
    <message>
        <source>Back to the window  (Esc)</source>
        <translation>Zurück zum Fenster  (Esc)</translation>
    </message>
</context>
<context>
    <name>Downloads</name>
    <message>
        <source>Cancelled; nothing was kept.</source>
        <translation>Abgebrochen; nichts wurde behalten.</translation>
    </message>
    <message>
        <source>The download failed ({0}). Try again.</source>
        <translation>Das Herunterladen schlug fehl ({0}). Versuche es noch einmal.</translation>
    </message>
</context>
<context>
    <name>Estimator</name>
    <message>
        <source>For footage that was made smaller, blurred or compressed in a known way, in place of Auto: reads
scale ↓s, blur h, noise σ_e and JPEG quality Q from the largest face of this shot.
They can be changed afterwards, and one Undo brings the former ones back.</source>
        <translation>Statt Auto, für Material, das auf bekannte Art verkleinert, unscharf oder komprimiert wurde: liest
Verkleinerung ↓s, Unschärfe h, Rauschen σ_e und JPEG-Qualität Q am größten Gesicht dieser Szene.
Sie lassen sich danach ändern, und einmal Rückgängig bringt die früheren wieder.</translation>
    </message>
    <message>
        <source>Measuring…</source>
        <translation>Wird gemessen…</translation>
    </message>
    <message>
        <source>Measure blur, noise and JPEG…</source>
        <translation>Unschärfe, Rauschen, JPEG messen…</translation>
    </message>
    <message>
        <source>scale</source>
        <translation>Maßstab</translation>
    </message>
    <message>
        <source>kind of blur</source>
        <translation>Art der Unschärfe</translation>
    </message>
    <message>
        <source>amount of blur</source>
        <translation>Stärke der Unschärfe</translation>
    </message>
    <message>
        <source>noise</source>
        <translation>Rauschen</translation>
    </message>
    <message>
        <source>JPEG</source>
        <translation>JPEG</translation>
    </message>
    <message>
        <source>Frames {0}–{1}, certainty: {2}.</source>
        <translation>Bilder {0}–{1}, Gewissheit: {2}.</translation>
    </message>
    <message>
        <source>A guess: {0}. Compare with your eyes.</source>
        <translation>Geraten: {0}. Vergleiche mit dem Auge.</translation>
    </message>
    <message>
        <source>The footage was enlarged {0} times before.</source>
        <translation>Das Material wurde früher {0}-fach vergrößert.</translation>
    </message>
</context>
<context>
    <name>Explorer</name>
    <message>
        <source>Perception – distortion</source>
        <translation>Eindruck – Treue</translation>
    </message>
    <message>
        <source>Measure against a clip…</source>
        <translation>An einem Clip messen…</translation>
    </message>
    <message>
        <source>Choose the same clip as it was before it was degraded: points are then measured by how near they come to it (PSNR), and by how alike they look (LPIPS)</source>
        <translation>Wähle denselben Clip, wie er vor der Verschlechterung war: Dann wird gemessen, wie nahe ihm die Punkte kommen (PSNR) und wie ähnlich sie aussehen (LPIPS)</translation>
    </message>
    <message>
        <source>No longer measure against this clip</source>
        <translation>Nicht mehr an diesem Clip messen</translation>
    </message>
    <message>
        <source>against {0}</source>
        <translation>an {0} gemessen</translation>
    </message>
    <message>
        <source>Stop exploring</source>
        <translation>Erkunden beenden</translation>
    </message>
    <message>
        <source>Explore K × w_τ here</source>
        <translation>K × w_τ hier erkunden</translation>
    </message>
    <message>
        <source>Try few and many steps K, and weak and strong enhancement w_τ, on this frame</source>
        <translation>Wenige und viele Schritte K, schwache und starke Verfeinerung w_τ auf diesem Bild versuchen</translation>
    </message>
    <message>
        <source>agreement (dB)</source>
        <translation>Treue (dB)</translation>
    </message>
    <message>
        <source>Right: true to the footage.</source>
        <translation>Rechts: treu zum Material.</translation>
    </message>
    <message>
        <source>PSNR (dB)</source>
        <translation>PSNR (dB)</translation>
    </message>
    <message>
        <source>Right: nearer to the reference, pixel by pixel.</source>
        <translation>Rechts: näher an der Referenz, Pixel für Pixel.</translation>
    </message>
    <message>
        <source>sharpness</source>
        <translation>Schärfe</translation>
    </message>
    <message>
        <source>Up: more fine detail, true or invented.</source>
        <translation>Oben: mehr feine Zeichnung, echt oder erfunden.</translation>
    </message>
    <message>
        <source>LPIPS</source>
        <translation>LPIPS</translation>
    </message>
    <message>
        <source>Up: looks more like the reference (a smaller LPIPS).</source>
        <translation>Oben: der Referenz ähnlicher (kleineres LPIPS).</translation>
    </message>
    <message>
        <source>{0} against {1}</source>
        <translation>{0} gegen {1}</translation>
    </message>
    <message>
        <source>Click a point to adopt it; the line joins those that none beats in both.</source>
        <translation>Klicke auf einen Punkt, um ihn zu übernehmen; die Linie verbindet jene, die keiner in beidem schlägt.</translation>
    </message>
    <message>
        <source>Tries few and many steps with weak and strong enhancement on the frame that you see.</source>
        <translation>Versucht wenige und viele Schritte mit schwacher und starker Verfeinerung auf dem Bild, das du siehst.</translation>
    </message>
    <message>
        <source>LPIPS needs {0}; without it sharpness stands in.</source>
        <translation>LPIPS braucht {0}; ohne sie vertritt es die Schärfe.</translation>
    </message>
    <message>
        <source>Put it into {0}, or let “flair eval --metrics lpips --fetch” do so.</source>
        <translation>Lege sie in {0} ab oder überlasse das „flair eval --metrics lpips --fetch“.</translation>
    </message>
    <message>
        <source>K {0} · w_τ {1:.2f} · {2:.1f} dB</source>
        <translation>K {0} · w_τ {1:.2f} · {2:.1f} dB</translation>
    </message>
</context>
<context>
    <name>ExportCommands</name>
    <message>
        <source>Not finished from last time: {0} in the export queue.</source>
        <translation>Vom letzten Mal unfertig: {0} in den Exportaufträgen.</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source> · {0} left</source>
        <translation> · noch {0}</translation>
    </message>
    <message>
        <source>{0} is ready.</source>
        <translation>{0} ist fertig.</translation>
    </message>
    <message>
        <source>Show the queue</source>
        <translation>Aufträge zeigen</translation>
    </message>
    <message>
        <source>Export failed</source>
        <translation>Export fehlgeschlagen</translation>
    </message>
    <message>
        <source>Export ready</source>
        <translation>Export fertig</translation>
    </message>
</context>
<context>
    <name>ExportDialog</name>
    <message>
        <source>Export</source>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>PNG images, a folder</source>
        <translation>PNG-Bilder, ein Ordner</translation>
    </message>
    <message>
        <source>In to out · {0} frames</source>
        <translation>In bis Out · {0} Bilder</translation>
    </message>
    <message>
        <source>Whole clip · {0} frames</source>
        <translation>Ganzer Clip · {0} Bilder</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>copied unchanged</source>
        <translation>wird unverändert kopiert</translation>
    </message>
    <message>
        <source>the clip has none</source>
        <translation>der Clip hat keinen</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>Format</translation>
    </message>
    <message>
        <source>Depth</source>
        <translation>Tiefe</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>Qualität</translation>
    </message>
    <message>
        <source>Frames</source>
        <translation>Bilder</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Sound</source>
        <translation>Ton</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>Add to queue</source>
        <translation>In die Warteschlange</translation>
    </message>
    <message>
        <source>It is rendered in the background, after those before it</source>
        <translation>Er wird im Hintergrund ausgeführt, nach denen vor ihm</translation>
    </message>
    <message>
        <source>Choose folder and name of the file</source>
        <translation>Ordner und Namen der Datei wählen</translation>
    </message>
    <message>
        <source>Where the restored clip is written; it appears when it is complete</source>
        <translation>Wohin der restaurierte Clip geschrieben wird; er erscheint, sobald er vollständig ist</translation>
    </message>
    <message>
        <source>Codec and kind of file</source>
        <translation>Codec und Art der Datei</translation>
    </message>
    <message>
        <source>Which frames are written</source>
        <translation>Welche Bilder geschrieben werden</translation>
    </message>
    <message>
        <source>As the source · {0} bits</source>
        <translation>Wie die Quelle · {0} Bit</translation>
    </message>
    <message>
        <source>{0} bits</source>
        <translation>{0} Bit</translation>
    </message>
    <message>
        <source>Ten bits keep slow gradients smooth; into eight the result is dithered, so that none band</source>
        <translation>Zehn Bit halten langsame Verläufe glatt; für acht wird das Ergebnis gerastert, damit keine Streifen entstehen</translation>
    </message>
    <message>
        <source>Usual</source>
        <translation>Üblich</translation>
    </message>
    <message>
        <source>The encoder&apos;s constant quality (CRF): smaller is better and larger</source>
        <translation>Die gleichbleibende Qualität des Encoders (CRF): kleiner ist besser und größer</translation>
    </message>
    <message>
        <source>Encode on the graphics card</source>
        <translation>Auf der Grafikkarte kodieren</translation>
    </message>
    <message>
        <source>Faster; where no card can, the processor does it and the job says so</source>
        <translation>Schneller; wo es keine Karte kann, tut es der Prozessor, und der Auftrag sagt es</translation>
    </message>
    <message>
        <source>Take sound, subtitles and chapters along</source>
        <translation>Ton, Untertitel und Kapitel mitnehmen</translation>
    </message>
    <message>
        <source>Copied unchanged and kept in step; without a tick the file is silent</source>
        <translation>Unverändert kopiert und synchron gehalten; ohne Haken bleibt die Datei stumm</translation>
    </message>
    <message>
        <source>Write the settings into the picture</source>
        <translation>Die Einstellungen ins Bild schreiben</translation>
    </message>
    <message>
        <source>A line of text along the lower edge of every frame, for comparing versions</source>
        <translation>Eine Textzeile am unteren Rand jedes Bildes, um Fassungen zu vergleichen</translation>
    </message>
    <message>
        <source>Say in the file that faces were restored</source>
        <translation>In der Datei sagen, dass Gesichter restauriert wurden</translation>
    </message>
    <message>
        <source>Program, settings, networks and the source&apos;s checksum, in the way of content credentials</source>
        <translation>Programm, Einstellungen, Netze und Prüfsumme der Quelle, nach Art der Content Credentials</translation>
    </message>
    <message>
        <source>Write how it was made beside it</source>
        <translation>Daneben schreiben, wie sie entstand</translation>
    </message>
    <message>
        <source>Settings, seed, networks and checksums, as a small JSON file</source>
        <translation>Einstellungen, Startwert, Netze und Prüfsummen als kleine JSON-Datei</translation>
    </message>
    <message>
        <source>Write a matte of what was generated</source>
        <translation>Eine Maske des Erzeugten schreiben</translation>
    </message>
    <message>
        <source>A second video: white where pixels were generated, black where not</source>
        <translation>Ein zweites Video: weiß, wo Pixel erzeugt wurden, schwarz, wo nicht</translation>
    </message>
    <message>
        <source>Only {0} MB are free there; this export may need about {1} MB.</source>
        <translation>Dort sind nur {0} MB frei; dieser Export braucht vielleicht {1} MB.</translation>
    </message>
    <message>
        <source>Export to</source>
        <translation>Exportieren nach</translation>
    </message>
</context>
<context>
    <name>Faces</name>
    <message>
        <source>Faces</source>
        <translation>Gesichter</translation>
    </message>
    <message>
        <source>The faces of this clip; untick one to leave it as it was filmed</source>
        <translation>Die Gesichter dieses Clips; nimm den Haken weg, um eines zu lassen, wie es gefilmt wurde</translation>
    </message>
    <message>
        <source>Draw a face…</source>
        <translation>Gesicht zeichnen…</translation>
    </message>
    <message>
        <source>Where no face was found: drag an ellipse from forehead to chin</source>
        <translation>Wo kein Gesicht gefunden wurde: Ziehe eine Ellipse von der Stirn zum Kinn</translation>
    </message>
    <message>
        <source>Face {0}</source>
        <translation>Gesicht {0}</translation>
    </message>
    <message>
        <source>Drawn face {0}</source>
        <translation>Gezeichnetes Gesicht {0}</translation>
    </message>
    <message>
        <source>{0}
frames {1}–{2}</source>
        <translation>{0}
Bilder {1}–{2}</translation>
    </message>
    <message>
        <source>Untick a face to leave it as it was filmed. Delete removes a drawn one.</source>
        <translation>Nimm den Haken weg, um ein Gesicht zu lassen, wie es gefilmt wurde. Entf löscht ein gezeichnetes.</translation>
    </message>
    <message>
        <source>Choose faces</source>
        <translation>Gesichter wählen</translation>
    </message>
</context>
<context>
    <name>Files</name>
    <message>
        <source>Open a clip or a project</source>
        <translation>Clip oder Projekt öffnen</translation>
    </message>
    <message>
        <source>Open a folder of images</source>
        <translation>Ordner mit Bildern öffnen</translation>
    </message>
    <message>
        <source>Find the clip…</source>
        <translation>Clip suchen…</translation>
    </message>
    <message>
        <source>Where is {0}?</source>
        <translation>Wo ist {0}?</translation>
    </message>
    <message>
        <source>The same clip before it was degraded</source>
        <translation>Derselbe Clip vor der Verschlechterung</translation>
    </message>
    <message>
        <source>Remove the reference</source>
        <translation>Referenz entfernen</translation>
    </message>
    <message>
        <source>Save project</source>
        <translation>Projekt speichern</translation>
    </message>
    <message>
        <source>FLAIR projects (*{0})</source>
        <translation>FLAIR-Projekte (*{0})</translation>
    </message>
    <message>
        <source>Save the changes to this project?</source>
        <translation>Die Änderungen an diesem Projekt speichern?</translation>
    </message>
    <message>
        <source>FLAIR Studio ended unexpectedly, but your work was kept.</source>
        <translation>FLAIR Studio endete unerwartet, aber deine Arbeit wurde gesichert.</translation>
    </message>
    <message>
        <source>Recover it</source>
        <translation>Wiederherstellen</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
</context>
<context>
    <name>JobLog</name>
    <message>
        <source>Log of {0}</source>
        <translation>Protokoll von {0}</translation>
    </message>
    <message>
        <source>Nothing has happened yet.</source>
        <translation>Noch ist nichts geschehen.</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Protokoll</translation>
    </message>
    <message>
        <source>When it was started, what it said, and how it ended</source>
        <translation>Wann er begann, was er meldete und wie er endete</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Put the log on the clipboard</source>
        <translation>Das Protokoll in die Zwischenablage legen</translation>
    </message>
</context>
<context>
    <name>KeyButton</name>
    <message>
        <source>Remove the keyframe of {0} here</source>
        <translation>Den Keyframe von {0} hier entfernen</translation>
    </message>
    <message>
        <source>Set a keyframe of {0} here</source>
        <translation>Hier einen Keyframe von {0} setzen</translation>
    </message>
</context>
<context>
    <name>LeaveSharp</name>
    <message>
        <source>Restore all the same</source>
        <translation>Trotzdem restaurieren</translation>
    </message>
</context>
<context>
    <name>Looks</name>
    <message>
        <source>Look: {0}</source>
        <translation>Stil: {0}</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>{0}  •  edited</source>
        <translation>{0}  •  geändert</translation>
    </message>
    <message>
        <source>{0} is ready.</source>
        <translation>{0} ist fertig.</translation>
    </message>
    <message>
        <source>The language changes when FLAIR Studio starts next.</source>
        <translation>Die Sprache wechselt, wenn FLAIR Studio das nächste Mal startet.</translation>
    </message>
    <message>
        <source>About FLAIR Studio</source>
        <translation>Über FLAIR Studio</translation>
    </message>
    <message>
        <source>FLAIR Studio restores faces in old footage by conditional diffusion.
Apache-2.0</source>
        <translation>FLAIR Studio restauriert Gesichter in altem Filmmaterial durch bedingte Diffusion.
Apache-2.0</translation>
    </message>
    <message>
        <source>&amp;Clear this list</source>
        <translation>Diese Liste &amp;leeren</translation>
    </message>
</context>
<context>
    <name>MaskCommands</name>
    <message>
        <source>Drag from one corner of the face to the other, forehead to chin</source>
        <translation>Ziehe von einer Ecke des Gesichts zur anderen, von der Stirn zum Kinn</translation>
    </message>
    <message>
        <source>Draw a face</source>
        <translation>Gesicht zeichnen</translation>
    </message>
    <message>
        <source>Remove a drawn face</source>
        <translation>Gezeichnetes Gesicht entfernen</translation>
    </message>
    <message>
        <source>Draw one…</source>
        <translation>Eines zeichnen…</translation>
    </message>
    <message>
        <source>The whole frame is a face</source>
        <translation>Das ganze Bild ist ein Gesicht</translation>
    </message>
    <message>
        <source>Whole frame</source>
        <translation>Ganzes Bild</translation>
    </message>
    <message>
        <source>No face was found in this clip.</source>
        <translation>In diesem Clip wurde kein Gesicht gefunden.</translation>
    </message>
    <message>
        <source>Erase from the mask</source>
        <translation>Von der Maske radieren</translation>
    </message>
    <message>
        <source>Paint the mask</source>
        <translation>Maske malen</translation>
    </message>
    <message>
        <source>Drag over the face; the right button does the opposite, Esc puts the brush away</source>
        <translation>Ziehe über das Gesicht; die rechte Taste tut das Gegenteil, Esc legt den Pinsel weg</translation>
    </message>
    <message>
        <source>Reset the mask</source>
        <translation>Maske zurücksetzen</translation>
    </message>
</context>
<context>
    <name>ModelsDialog</name>
    <message>
        <source>Models</source>
        <translation>Modelle</translation>
    </message>
    <message>
        <source>Imported models lie in {0}. A fetched file can be dropped here, too.</source>
        <translation>Importierte Modelle liegen in {0}. Eine geholte Datei lässt sich auch hier ablegen.</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>bereit</translation>
    </message>
    <message>
        <source>Licence: {0}</source>
        <translation>Lizenz: {0}</translation>
    </message>
    <message>
        <source>{0} MB · SHA-256 {1}…</source>
        <translation>{0} MB · SHA-256 {1}…</translation>
    </message>
    <message>
        <source>To get {0}: {1}.</source>
        <translation>So kommst du an {0}: {1}.</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cancel the download of {0}</source>
        <translation>Das Herunterladen von {0} abbrechen</translation>
    </message>
    <message>
        <source>Stop the download; nothing of it is kept</source>
        <translation>Das Herunterladen beenden; nichts davon wird behalten</translation>
    </message>
    <message>
        <source>Download…</source>
        <translation>Herunterladen…</translation>
    </message>
    <message>
        <source>Download {0}</source>
        <translation>{0} herunterladen</translation>
    </message>
    <message>
        <source>Shows licence and size first; the file is checked before it is taken in</source>
        <translation>Zeigt zuerst Lizenz und Größe; die Datei wird geprüft, bevor sie aufgenommen wird</translation>
    </message>
    <message>
        <source>Import a file…</source>
        <translation>Datei importieren…</translation>
    </message>
    <message>
        <source>Import {0}</source>
        <translation>{0} importieren</translation>
    </message>
    <message>
        <source>Choose the file that you fetched; it is checked before it is taken in</source>
        <translation>Wähle die Datei, die du geholt hast; sie wird geprüft, bevor sie aufgenommen wird</translation>
    </message>
    <message>
        <source>Download {0} under this licence?</source>
        <translation>{0} unter dieser Lizenz herunterladen?</translation>
    </message>
    <message>
        <source>{0} MB from {1}</source>
        <translation>{0} MB von {1}</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>Herunterladen</translation>
    </message>
    <message>
        <source>No model is published as {0}. Use “Import a file…” of the one that it holds.</source>
        <translation>Kein Modell wird als {0} veröffentlicht. Nimm „Datei importieren…“ bei dem, das sie enthält.</translation>
    </message>
    <message>
        <source>Where is {0}?</source>
        <translation>Wo ist {0}?</translation>
    </message>
    <message>
        <source>Checkpoints (*.pt *.pth *.ckpt *.safetensors *.onnx)</source>
        <translation>Checkpoints (*.pt *.pth *.ckpt *.safetensors *.onnx)</translation>
    </message>
</context>
<context>
    <name>Parameters</name>
    <message>
        <source>Look</source>
        <translation>Stil</translation>
    </message>
    <message>
        <source>No setting that has an effect at present is called that.</source>
        <translation>Keine Einstellung, die zurzeit wirkt, heißt so.</translation>
    </message>
    <message>
        <source>Reset {0}</source>
        <translation>{0} zurücksetzen</translation>
    </message>
    <message>
        <source>Keyframe of {0}</source>
        <translation>Keyframe von {0}</translation>
    </message>
    <message>
        <source>{0} is not on this computer. To get it, {1}. Then choose “Models…” in the menu and import the file, which puts it into {2}.</source>
        <translation>{0} ist nicht auf diesem Rechner. So kommst du daran: {1}. Wähle dann „Modelle…“ im Menü und importiere die Datei, die so nach {2} kommt.</translation>
    </message>
    <message>
        <source>Change {0}</source>
        <translation>{0} ändern</translation>
    </message>
    <message>
        <source>This shot is left as filmed, since Auto found it sharp already.</source>
        <translation>Diese Szene bleibt wie gefilmt, weil Auto sie schon scharf fand.</translation>
    </message>
    <message>
        <source>This shot has a value of its own.</source>
        <translation>Diese Szene hat einen eigenen Wert.</translation>
    </message>
    <message>
        <source>A face in this frame has a value of its own.</source>
        <translation>Ein Gesicht in diesem Bild hat einen eigenen Wert.</translation>
    </message>
</context>
<context>
    <name>PlayCommands</name>
    <message>
        <source>Set in and out</source>
        <translation>In und Out setzen</translation>
    </message>
    <message>
        <source>Clear in and out</source>
        <translation>In und Out löschen</translation>
    </message>
</context>
<context>
    <name>PreferencesDialog</name>
    <message>
        <source>Preferences</source>
        <translation>Voreinstellungen</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>All graphics cards</source>
        <translation>Alle Grafikkarten</translation>
    </message>
    <message>
        <source>every {0} seconds</source>
        <translation>alle {0} Sekunden</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Thema</translation>
    </message>
    <message>
        <source>Colours of the window; pictures look best in the dark</source>
        <translation>Farben des Fensters; Bilder wirken am besten im Dunkeln</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Of menus, buttons and explanations, from the next start on</source>
        <translation>Von Menüs, Knöpfen und Erklärungen, ab dem nächsten Start</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>What computes previews and exports; with &quot;all&quot;, every graphics card takes its share of an export</source>
        <translation>Was Vorschau und Export berechnet; bei „Alle Grafikkarten“ übernimmt jede einen Teil eines Exports</translation>
    </message>
    <message>
        <source>Autosave</source>
        <translation>Sicherung</translation>
    </message>
    <message>
        <source>How often unsaved work is kept aside, to be recovered after a crash</source>
        <translation>Wie oft ungespeicherte Arbeit gesichert wird, um sie nach einem Absturz wiederherzustellen</translation>
    </message>
    <message>
        <source>Differences</source>
        <translation>Differenzen</translation>
    </message>
    <message>
        <source>How much brighter the mode Difference shows what was changed</source>
        <translation>Wie viel heller die Ansicht „Differenz“ zeigt, was geändert wurde</translation>
    </message>
</context>
<context>
    <name>Presenter</name>
    <message>
        <source>Observed · {0} × {1}</source>
        <translation>Material · {0} × {1}</translation>
    </message>
    <message>
        <source>Settings {0}</source>
        <translation>Einstellungen {0}</translation>
    </message>
    <message>
        <source>No face in this frame</source>
        <translation>Kein Gesicht in diesem Bild</translation>
    </message>
    <message>
        <source>step {0}/{1}</source>
        <translation>Schritt {0}/{1}</translation>
    </message>
    <message>
        <source>Restored · {0}</source>
        <translation>Restauriert · {0}</translation>
    </message>
    <message>
        <source>{0:.0f} ms/step</source>
        <translation>{0:.0f} ms/Schritt</translation>
    </message>
    <message>
        <source>residual {0:.2f}</source>
        <translation>Residuum {0:.2f}</translation>
    </message>
    <message>
        <source>export may differ here: what comes before is not restored yet</source>
        <translation>der Export kann hier abweichen: Was davor liegt, ist noch nicht restauriert</translation>
    </message>
    <message>
        <source>Preview</source>
        <translation>Vorschau</translation>
    </message>
    <message>
        <source>Restoring…</source>
        <translation>Restauriere…</translation>
    </message>
    <message>
        <source>Not restored</source>
        <translation>Nicht restauriert</translation>
    </message>
    <message>
        <source>face {0} · left out</source>
        <translation>Gesicht {0} · ausgelassen</translation>
    </message>
    <message>
        <source>face {0} · tracked</source>
        <translation>Gesicht {0} · verfolgt</translation>
    </message>
    <message>
        <source>drawn face {0}</source>
        <translation>gezeichnetes Gesicht {0}</translation>
    </message>
</context>
<context>
    <name>QueuePanel</name>
    <message>
        <source>Export queue</source>
        <translation>Exportaufträge</translation>
    </message>
    <message>
        <source>Nothing to export yet. Use Export to add a clip.</source>
        <translation>Noch nichts zu exportieren. Mit Exportieren kommt ein Clip hinzu.</translation>
    </message>
    <message>
        <source>Clear what is over</source>
        <translation>Erledigte entfernen</translation>
    </message>
    <message>
        <source>Forget exports that are done or cancelled; their files stay</source>
        <translation>Fertige und abgebrochene Exporte vergessen; ihre Dateien bleiben</translation>
    </message>
</context>
<context>
    <name>SchedulePlot</name>
    <message>
        <source>Schedules of γ and w</source>
        <translation>Verläufe von γ und w</translation>
    </message>
    <message>
        <source>How much each step is tied to the footage (γ_t) and enhanced (w_t). Drag a point to shape the curve; w_t reaches up to w_τ, γ_t up to what the policy allows</source>
        <translation>Wie stark jeder Schritt ans Material gebunden (γ_t) und verfeinert (w_t) wird. Ziehen Sie einen Punkt, um die Kurve zu formen; w_t reicht bis w_τ, γ_t bis zu dem, was das Verfahren erlaubt</translation>
    </message>
    <message>
        <source>by reverse step</source>
        <translation>je Rückwärtsschritt</translation>
    </message>
</context>
<context>
    <name>Scopes</name>
    <message>
        <source>Settings are for the whole clip</source>
        <translation>Einstellungen gelten für den ganzen Clip</translation>
    </message>
    <message>
        <source>Settings are for the shot under the playhead only</source>
        <translation>Einstellungen gelten nur für die Szene unter dem Abspielkopf</translation>
    </message>
    <message>
        <source>Settings are for the selected face only</source>
        <translation>Einstellungen gelten nur für das ausgewählte Gesicht</translation>
    </message>
    <message>
        <source>Work on settings A; B is kept  (B swaps them)</source>
        <translation>An den Einstellungen A arbeiten; B bleibt bewahrt  (B tauscht sie)</translation>
    </message>
    <message>
        <source>Work on settings B; A is kept  (B swaps them)</source>
        <translation>An den Einstellungen B arbeiten; A bleibt bewahrt  (B tauscht sie)</translation>
    </message>
    <message>
        <source>Hold to see the other one of A and B</source>
        <translation>Gedrückt halten, um das andere von A und B zu sehen</translation>
    </message>
    <message>
        <source>Hold A | B</source>
        <translation>A | B halten</translation>
    </message>
    <message>
        <source>Settings to take over, and those to keep for other clips</source>
        <translation>Einstellungen zum Übernehmen, und solche für andere Clips zum Behalten</translation>
    </message>
    <message>
        <source>Presets</source>
        <translation>Vorlagen</translation>
    </message>
    <message>
        <source>Clip</source>
        <translation>Clip</translation>
    </message>
    <message>
        <source>Shot {0}</source>
        <translation>Szene {0}</translation>
    </message>
    <message>
        <source>Face</source>
        <translation>Gesicht</translation>
    </message>
    <message>
        <source>Face {0}</source>
        <translation>Gesicht {0}</translation>
    </message>
    <message>
        <source>Drawn {0}</source>
        <translation>Gezeichnet {0}</translation>
    </message>
</context>
<context>
    <name>Search</name>
    <message>
        <source>Find a setting</source>
        <translation>Einstellung suchen</translation>
    </message>
    <message>
        <source>By its name, what it does, or its symbol in the paper  (Ctrl+F)</source>
        <translation>Nach Name, Wirkung oder Zeichen im Artikel  (Strg+F)</translation>
    </message>
    <message>
        <source>Clear</source>
        <translation>Leeren</translation>
    </message>
</context>
<context>
    <name>Section</name>
    <message>
        <source>Show or hide the settings of this group</source>
        <translation>Einstellungen dieser Gruppe zeigen oder verbergen</translation>
    </message>
</context>
<context>
    <name>SeedControl</name>
    <message>
        <source>Another seed</source>
        <translation>Ein anderer Startwert</translation>
    </message>
</context>
<context>
    <name>Session</name>
    <message>
        <source>Swap A and B</source>
        <translation>A und B tauschen</translation>
    </message>
</context>
<context>
    <name>SettingsCommands</name>
    <message>
        <source>Made for a model</source>
        <translation>Für ein Modell gemacht</translation>
    </message>
    <message>
        <source>Yours</source>
        <translation>Deine eigenen</translation>
    </message>
    <message>
        <source>Remove one of yours</source>
        <translation>Eine eigene entfernen</translation>
    </message>
    <message>
        <source>Keep these settings as…</source>
        <translation>Diese Einstellungen behalten als…</translation>
    </message>
    <message>
        <source>Open a file…</source>
        <translation>Datei öffnen…</translation>
    </message>
    <message>
        <source>Save to a file…</source>
        <translation>In Datei speichern…</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Paste</source>
        <translation>Einfügen</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Zurücksetzen</translation>
    </message>
    <message>
        <source>Take preset {0}</source>
        <translation>Vorlage {0} übernehmen</translation>
    </message>
    <message>
        <source>Open preset</source>
        <translation>Vorlage öffnen</translation>
    </message>
    <message>
        <source>Save preset</source>
        <translation>Vorlage speichern</translation>
    </message>
    <message>
        <source>Keep settings</source>
        <translation>Einstellungen behalten</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Replace your preset {0}?</source>
        <translation>Deine Vorlage {0} ersetzen?</translation>
    </message>
    <message>
        <source>Remove your preset {0}?</source>
        <translation>Deine Vorlage {0} entfernen?</translation>
    </message>
    <message>
        <source>The preset can&apos;t be removed: {0}.</source>
        <translation>Die Vorlage lässt sich nicht entfernen: {0}.</translation>
    </message>
    <message>
        <source>Presets</source>
        <translation>Vorlagen</translation>
    </message>
    <message>
        <source>The preset can&apos;t be saved as {0}: {1}.</source>
        <translation>Die Vorlage kann nicht als {0} gespeichert werden: {1}.</translation>
    </message>
    <message>
        <source>Presets (*.json)</source>
        <translation>Vorlagen (*.json)</translation>
    </message>
    <message>
        <source>There are no settings on the clipboard. Copy some first.</source>
        <translation>In der Zwischenablage sind keine Einstellungen. Kopiere zuerst welche.</translation>
    </message>
    <message>
        <source>Paste settings</source>
        <translation>Einstellungen einfügen</translation>
    </message>
    <message>
        <source>Reset settings</source>
        <translation>Einstellungen zurücksetzen</translation>
    </message>
    <message>
        <source>These settings are kept as A. Change them, then press B to go to and fro.</source>
        <translation>Diese Einstellungen sind als A bewahrt. Ändere sie und wechsle dann mit der Taste B hin und her.</translation>
    </message>
    <message>
        <source>There is no B yet. Press B to keep these settings as A, then change some.</source>
        <translation>Es gibt noch kein B. Drücke B, um diese Einstellungen als A zu bewahren, und ändere dann einige.</translation>
    </message>
    <message>
        <source>Take the look {0}</source>
        <translation>Stil {0} übernehmen</translation>
    </message>
    <message>
        <source>Leave it to Auto</source>
        <translation>Auto überlassen</translation>
    </message>
    <message>
        <source>Adopt a point</source>
        <translation>Punkt übernehmen</translation>
    </message>
    <message>
        <source>Split the shot</source>
        <translation>Szene schneiden</translation>
    </message>
    <message>
        <source>Merge shots</source>
        <translation>Szenen verbinden</translation>
    </message>
</context>
<context>
    <name>ShortcutsDialog</name>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
</context>
<context>
    <name>Sound</name>
    <message>
        <source>The clip plays without sound: {0}.</source>
        <translation>Der Clip läuft ohne Ton: {0}.</translation>
    </message>
    <message>
        <source>The sound device does not answer: the clip plays without sound.</source>
        <translation>Das Tongerät antwortet nicht: Der Clip läuft ohne Ton.</translation>
    </message>
</context>
<context>
    <name>StageView</name>
    <message>
        <source>Stages of a step</source>
        <translation>Stufen eines Schritts</translation>
    </message>
    <message>
        <source>What the network, data consistency and the enhancer made of one step, side by side</source>
        <translation>Was das Netz, die Datentreue und der Verfeinerer aus einem Schritt machten, nebeneinander</translation>
    </message>
    <message>
        <source>step {0} · {1}</source>
        <translation>Schritt {0} · {1}</translation>
    </message>
    <message>
        <source>Esc: back to the picture</source>
        <translation>Esc: zurück zum Bild</translation>
    </message>
</context>
<context>
    <name>Status</name>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
</context>
<context>
    <name>StepStrip</name>
    <message>
        <source>steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>What the network makes of the noisy picture, eq. (3)</source>
        <translation>Was das Netz aus dem verrauschten Bild macht, Gl. (3)</translation>
    </message>
    <message>
        <source>After data consistency, eq. (9)</source>
        <translation>Nach der Datentreue, Gl. (9)</translation>
    </message>
    <message>
        <source>After enhancement, eq. (12)</source>
        <translation>Nach der Verfeinerung, Gl. (12)</translation>
    </message>
    <message>
        <source>after DC</source>
        <translation>nach DC</translation>
    </message>
    <message>
        <source>after G</source>
        <translation>nach G</translation>
    </message>
</context>
<context>
    <name>Timeline</name>
    <message>
        <source>Timeline</source>
        <translation>Zeitleiste</translation>
    </message>
    <message>
        <source>The clip over time. Click: go there; wheel: zoom; Shift and wheel: move along</source>
        <translation>Der Clip in der Zeit. Klick: dorthin gehen; Rad: zoomen; Umschalt und Rad: verschieben</translation>
    </message>
    <message>
        <source>Value of the keyframe</source>
        <translation>Wert des Keyframes</translation>
    </message>
    <message>
        <source>Change a keyframe</source>
        <translation>Keyframe ändern</translation>
    </message>
    <message>
        <source>Delete a keyframe</source>
        <translation>Keyframe löschen</translation>
    </message>
    <message>
        <source>Video</source>
        <translation>Video</translation>
    </message>
    <message>
        <source>Restored with these settings</source>
        <translation>Mit diesen Einstellungen restauriert</translation>
    </message>
    <message>
        <source>Restored with other settings only</source>
        <translation>Nur mit anderen Einstellungen restauriert</translation>
    </message>
    <message>
        <source>Not restored yet</source>
        <translation>Noch nicht restauriert</translation>
    </message>
    <message>
        <source>Shots</source>
        <translation>Szenen</translation>
    </message>
    <message>
        <source>Shot {0}</source>
        <translation>Szene {0}</translation>
    </message>
    <message>
        <source>Move a cut</source>
        <translation>Schnitt verschieben</translation>
    </message>
    <message>
        <source>Split here</source>
        <translation>Hier schneiden</translation>
    </message>
    <message>
        <source>Split the shot</source>
        <translation>Szene schneiden</translation>
    </message>
    <message>
        <source>Merge with the shot before</source>
        <translation>Mit der Szene davor verbinden</translation>
    </message>
    <message>
        <source>Merge shots</source>
        <translation>Szenen verbinden</translation>
    </message>
    <message>
        <source>Settings for this shot</source>
        <translation>Einstellungen für diese Szene</translation>
    </message>
    <message>
        <source>Set in and out to this shot</source>
        <translation>In und Out auf diese Szene setzen</translation>
    </message>
    <message>
        <source>Shot {0}, frames {1}–{2}</source>
        <translation>Szene {0}, Bilder {1}–{2}</translation>
    </message>
    <message>
        <source>Its own: {0}</source>
        <translation>Eigene Werte: {0}</translation>
    </message>
    <message>
        <source>Faces</source>
        <translation>Gesichter</translation>
    </message>
    <message>
        <source>Face {0}, frames {1}–{2}</source>
        <translation>Gesicht {0}, Bilder {1}–{2}</translation>
    </message>
    <message>
        <source>Move a keyframe</source>
        <translation>Keyframe verschieben</translation>
    </message>
    <message>
        <source>Add a keyframe</source>
        <translation>Keyframe hinzufügen</translation>
    </message>
    <message>
        <source>Add a keyframe here</source>
        <translation>Hier einen Keyframe hinzufügen</translation>
    </message>
    <message>
        <source>Move evenly to the next one</source>
        <translation>Gleichmäßig zum nächsten</translation>
    </message>
    <message>
        <source>Hold until the next one</source>
        <translation>Halten bis zum nächsten</translation>
    </message>
    <message>
        <source>Type its value…</source>
        <translation>Wert eingeben…</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>{0}: drag it, with Shift finely; double-click to type</source>
        <translation>{0}: ziehen, mit Umschalt fein; Doppelklick zum Eintippen</translation>
    </message>
    <message>
        <source>{0}: double-click to set a keyframe</source>
        <translation>{0}: Doppelklick setzt einen Keyframe</translation>
    </message>
    <message>
        <source>Residual</source>
        <translation>Residuum</translation>
    </message>
    <message>
        <source>Warp error</source>
        <translation>Flackern</translation>
    </message>
    <message>
        <source>How far the restored face, degraded again, is from the footage: |A x̂ − y|</source>
        <translation>Wie weit das restaurierte Gesicht, wieder verschlechtert, vom Material abweicht: |A x̂ − y|</translation>
    </message>
    <message>
        <source>{0:.2f} levels in this frame</source>
        <translation>{0:.2f} Stufen in diesem Bild</translation>
    </message>
    <message>
        <source>How much the face flickers from one frame to the next, along its motion: E_warp</source>
        <translation>Wie sehr das Gesicht von Bild zu Bild flackert, entlang seiner Bewegung: E_warp</translation>
    </message>
</context>
<context>
    <name>TopBar</name>
    <message>
        <source>Queue</source>
        <translation>Aufträge</translation>
    </message>
</context>
<context>
    <name>Viewer</name>
    <message>
        <source>Picture</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>Footage and restoration. Wheel: zoom; drag: pan; double click: fit; click a face: select it</source>
        <translation>Material und Restaurierung. Rad: zoomen; ziehen: verschieben; Doppelklick: anpassen; Klick auf ein Gesicht: auswählen</translation>
    </message>
    <message>
        <source>Difference × {0}</source>
        <translation>Differenz × {0}</translation>
    </message>
    <message>
        <source>Where the restoration contradicts the footage</source>
        <translation>Wo die Restaurierung dem Material widerspricht</translation>
    </message>
    <message>
        <source>What is invented: where seeds disagree</source>
        <translation>Was erfunden ist: wo Startwerte sich widersprechen</translation>
    </message>
    <message>
        <source>{0} seeds</source>
        <translation>{0} Startwerte</translation>
    </message>
    <message>
        <source>levels of 255</source>
        <translation>Stufen von 255</translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message>
        <source>Bring faces in old footage back to life</source>
        <translation>Gesichter in alten Aufnahmen zu neuem Leben bringen</translation>
    </message>
    <message>
        <source>Drop a video, a folder of images or a project anywhere in this window.</source>
        <translation>Ziehe ein Video, einen Ordner mit Bildern oder ein Projekt in dieses Fenster.</translation>
    </message>
    <message>
        <source>Open a clip…</source>
        <translation>Clip öffnen…</translation>
    </message>
    <message>
        <source>A video, one image, or a project saved before  (Ctrl+O)</source>
        <translation>Ein Video, ein Bild oder ein gespeichertes Projekt  (Strg+O)</translation>
    </message>
    <message>
        <source>Try the sample clip</source>
        <translation>Beispielclip ausprobieren</translation>
    </message>
    <message>
        <source>Two seconds of degraded footage, made on the spot, with settings that fit</source>
        <translation>Zwei Sekunden verschlechtertes Material, an Ort und Stelle gemacht, mit passenden Einstellungen</translation>
    </message>
    <message>
        <source>Recent</source>
        <translation>Zuletzt</translation>
    </message>
</context>
<context>
    <name>Worker</name>
    <message>
        <source>The restoration core can&apos;t be loaded ({0}). Run `flair doctor` for details.</source>
        <translation>Der Kern der Restaurierung lässt sich nicht laden ({0}). Näheres sagt `flair doctor`.</translation>
    </message>
    <message>
        <source>Something unexpected went wrong.</source>
        <translation>Etwas Unerwartetes ging schief.</translation>
    </message>
</context>
<context>
    <name>_Film</name>
    <message>
        <source>Steps of the diffusion</source>
        <translation>Schritte der Diffusion</translation>
    </message>
    <message>
        <source>Click a step to see what each stage made of it</source>
        <translation>Klicke auf einen Schritt, um zu sehen, was jede Stufe daraus machte</translation>
    </message>
    <message>
        <source>appear here while a face is restored</source>
        <translation>erscheinen hier, während ein Gesicht restauriert wird</translation>
    </message>
</context>
<context>
    <name>_Time</name>
    <message>
        <source>Timecode</source>
        <translation>Timecode</translation>
    </message>
    <message>
        <source>Type a timecode or a frame number and press Enter</source>
        <translation>Gib einen Timecode oder eine Bildnummer ein und drücke die Eingabetaste</translation>
    </message>
</context>
<context>
    <name>looks</name>
    <message>
        <source>Natural</source>
        <translation>Natürlich</translation>
    </message>
    <message>
        <source>Crisp</source>
        <translation>Scharf</translation>
    </message>
    <message>
        <source>Sharp eyes, hair and teeth, and no grain: more is drawn than was filmed.</source>
        <translation>Scharfe Augen, Haare und Zähne, kein Korn: Es wird mehr gezeichnet, als gefilmt wurde.</translation>
    </message>
    <message>
        <source>Film</source>
        <translation>Film</translation>
    </message>
    <message>
        <source>As near to what was filmed as it gets, with most of the grain around it.</source>
        <translation>So nah an der Aufnahme wie möglich, mit dem meisten Korn, das um das Gesicht ist.</translation>
    </message>
    <message>
        <source>Crisper than Natural, with all the grain of the film around it.</source>
        <translation>Schärfer als „Natürlich“, mit allem Korn des Films um das Gesicht.</translation>
    </message>
    <message>
        <source>Tape</source>
        <translation>Band</translation>
    </message>
    <message>
        <source>Faces keep the broad colours of the tape, without its noise.</source>
        <translation>Gesichter behalten die groben Farben des Bandes, ohne sein Rauschen.</translation>
    </message>
    <message>
        <source>Web video</source>
        <translation>Webvideo</translation>
    </message>
    <message>
        <source>Makes up for what a codec took away: crisper, and without grain.</source>
        <translation>Gleicht aus, was ein Codec nahm: schärfer und ohne Korn.</translation>
    </message>
    <message>
        <source>Print</source>
        <translation>Druck</translation>
    </message>
    <message>
        <source>For printed pictures that were filmed or scanned: looks past the halftone, at half of the resolution.</source>
        <translation>Für gedruckte Bilder, die gefilmt oder gescannt wurden: sieht über das Raster hinweg, bei halber Auflösung.</translation>
    </message>
</context>
<context>
    <name>settings</name>
    <message>
        <source>From {0:g} to {1:g}.</source>
        <translation>Von {0:g} bis {1:g}.</translation>
    </message>
    <message>
        <source>In the paper: {0}</source>
        <translation>Im Artikel: {0}</translation>
    </message>
    <message>
        <source>Sampler</source>
        <translation>Sampler</translation>
    </message>
    <message>
        <source>Data consistency</source>
        <translation>Datentreue</translation>
    </message>
    <message>
        <source>Enhancement</source>
        <translation>Verfeinerung</translation>
    </message>
    <message>
        <source>Degradation</source>
        <translation>Verschlechterung</translation>
    </message>
    <message>
        <source>Faces</source>
        <translation>Gesichter</translation>
    </message>
    <message>
        <source>Footage</source>
        <translation>Material</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keiner</translation>
    </message>
    <message>
        <source>embedded</source>
        <translation>eingebaut</translation>
    </message>
    <message>
        <source>Scale</source>
        <translation>Maßstab</translation>
    </message>
    <message>
        <source>How many times smaller the face was recorded than it will be restored.</source>
        <translation>Wievielmal kleiner das Gesicht aufgenommen wurde, als es restauriert wird.</translation>
    </message>
    <message>
        <source>Blur kind</source>
        <translation>Unschärfe-Art</translation>
    </message>
    <message>
        <source>What softened the picture: resizing, defocus, or movement during exposure. Unknown: the network takes the footage for a hint and not for a measurement, so damage of any kind may go.</source>
        <translation>Was das Bild weich machte: Verkleinern, Defokus oder Bewegung während der Belichtung. Unbekannt: Das Netz nimmt das Material als Hinweis und nicht als Messung, so kann Schaden jeder Art verschwinden.</translation>
    </message>
    <message>
        <source>bicubic</source>
        <translation>bikubisch</translation>
    </message>
    <message>
        <source>gaussian</source>
        <translation>Gauß</translation>
    </message>
    <message>
        <source>motion</source>
        <translation>Bewegung</translation>
    </message>
    <message>
        <source>unknown</source>
        <translation>unbekannt</translation>
    </message>
    <message>
        <source>Blur</source>
        <translation>Unschärfe</translation>
    </message>
    <message>
        <source>Width of the defocus blur, in pixels of the restored face.</source>
        <translation>Breite der Unschärfe, in Pixeln des restaurierten Gesichts.</translation>
    </message>
    <message>
        <source>Blur shape</source>
        <translation>Form</translation>
    </message>
    <message>
        <source>1 is a round blur; less is stretched along the angle.</source>
        <translation>1 ist eine runde Unschärfe; weniger ist entlang des Winkels gestreckt.</translation>
    </message>
    <message>
        <source>Motion length</source>
        <translation>Bewegungsweite</translation>
    </message>
    <message>
        <source>How far the picture moved, in pixels of the restored face.</source>
        <translation>Wie weit sich das Bild bewegte, in Pixeln des restaurierten Gesichts.</translation>
    </message>
    <message>
        <source>Angle</source>
        <translation>Winkel</translation>
    </message>
    <message>
        <source>Direction of a motion or stretched blur, in degrees.</source>
        <translation>Richtung einer Bewegung oder gestreckten Unschärfe, in Grad.</translation>
    </message>
    <message>
        <source>Noise</source>
        <translation>Rauschen</translation>
    </message>
    <message>
        <source>Strength of the grain in the footage, in 8-bit levels. 0 trusts every pixel.</source>
        <translation>Stärke des Korns im Material, in 8-Bit-Stufen. 0 vertraut jedem Pixel.</translation>
    </message>
    <message>
        <source>JPEG quality</source>
        <translation>JPEG-Qualität</translation>
    </message>
    <message>
        <source>Quality at which the footage was compressed. Off when it was not.</source>
        <translation>Qualität, mit der das Material komprimiert wurde. Aus, wenn es das nicht wurde.</translation>
    </message>
    <message>
        <source>Enlarged before</source>
        <translation>Vorher vergrößert</translation>
    </message>
    <message>
        <source>How many times larger the footage is than what it shows: pixels that hold nothing but blur, grain or halftone count, too. With an unknown blur the network is shown the smaller picture. Auto: found for each shot.</source>
        <translation>Wievielmal größer das Material ist als das, was es zeigt: Auch Pixel, in denen nur Unschärfe, Korn oder Raster steckt, zählen mit. Bei unbekannter Unschärfe sieht das Netz das kleinere Bild. Auto: für jede Szene gefunden.</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>The network that restores. The starter models ship with the app: starter shows a frame at once, starter-video looks at seven frames, which is steadier in movement and takes longer, and starter-vivid, with ρ at 0.7, draws strands and teeth that the footage leaves open, with every seed others.</source>
        <translation>Das Netz, das restauriert. Die Startmodelle kommen mit der Anwendung: starter zeigt sofort ein Bild, starter-video sieht sieben Bilder an, ist in Bewegung ruhiger und braucht länger, und starter-vivid zeichnet, mit ρ bei 0,7, Strähnen und Zähne, die das Material offenlässt, mit jedem Startwert andere.</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>More steps give more detail and take longer; few stay softer and closer.</source>
        <translation>Mehr Schritte geben mehr Zeichnung und dauern länger; wenige bleiben weicher und näher.</translation>
    </message>
    <message>
        <source>Stochasticity</source>
        <translation>Zufall</translation>
    </message>
    <message>
        <source>More is smoother and closer to the truth, less is crisper and grainier.</source>
        <translation>Mehr ist glatter und näher an der Wahrheit, weniger ist schärfer und körniger.</translation>
    </message>
    <message>
        <source>Samples averaged</source>
        <translation>Mittel aus</translation>
    </message>
    <message>
        <source>The mean of several results: truer and smoother, slower.</source>
        <translation>Der Mittelwert mehrerer Ergebnisse: treuer und glatter, langsamer.</translation>
    </message>
    <message>
        <source>1 keeps exactly what the footage shows; 0 lets the model paint freely.</source>
        <translation>1 bewahrt genau, was das Material zeigt; 0 lässt das Modell frei malen.</translation>
    </message>
    <message>
        <source>Course of γ_t</source>
        <translation>Verlauf von γ_t</translation>
    </message>
    <message>
        <source>How much of the policy&apos;s γ_t the steps keep, first to last: drag the blue points of the plot.</source>
        <translation>Wie viel vom γ_t des Verfahrens die Schritte behalten, vom ersten bis zum letzten: Ziehen Sie die blauen Punkte der Kurve.</translation>
    </message>
    <message>
        <source>Enhancer</source>
        <translation>Verfeinerer</translation>
    </message>
    <message>
        <source>The second network, which draws what the first leaves soft.</source>
        <translation>Das zweite Netz, das zeichnet, was das erste weich lässt.</translation>
    </message>
    <message>
        <source>Fidelity</source>
        <translation>Treue</translation>
    </message>
    <message>
        <source>How near CodeFormer or VQFR stays to the face: 0 trusts its memory alone.</source>
        <translation>Wie nahe CodeFormer oder VQFR am Gesicht bleibt: 0 vertraut allein seinem Gedächtnis.</translation>
    </message>
    <message>
        <source>How much of the enhancer&apos;s face is mixed in: more is crisper but less faithful.</source>
        <translation>Wie viel vom Gesicht des Verfeinerers beigemischt wird: mehr ist schärfer, aber weniger treu.</translation>
    </message>
    <message>
        <source>Course of w_t</source>
        <translation>Verlauf von w_t</translation>
    </message>
    <message>
        <source>How the enhancement grows from the first step to step τ: drag the green points of the plot.</source>
        <translation>Wie die Verfeinerung vom ersten Schritt bis zum Schritt τ wächst: Ziehen Sie die grünen Punkte der Kurve.</translation>
    </message>
    <message>
        <source>Stop at step</source>
        <translation>Ruhe am Ende</translation>
    </message>
    <message>
        <source>The enhancer rests for the last τ steps, so that its traces heal.</source>
        <translation>Der Verfeinerer ruht in den letzten τ Schritten, damit seine Spuren verheilen.</translation>
    </message>
    <message>
        <source>Eyes</source>
        <translation>Augen</translation>
    </message>
    <message>
        <source>Share of the enhancement that eyes and brows get: less keeps the gaze as filmed.</source>
        <translation>Anteil der Verfeinerung, den Augen und Brauen bekommen: weniger bewahrt den Blick, wie er gefilmt ist.</translation>
    </message>
    <message>
        <source>Mouth</source>
        <translation>Mund</translation>
    </message>
    <message>
        <source>Share of the enhancement that the mouth gets: less keeps speech as filmed.</source>
        <translation>Anteil der Verfeinerung, den der Mund bekommt: weniger bewahrt die Sprache, wie sie gefilmt ist.</translation>
    </message>
    <message>
        <source>Skin</source>
        <translation>Haut</translation>
    </message>
    <message>
        <source>Share of the enhancement that the rest of the face gets.</source>
        <translation>Anteil der Verfeinerung, den der Rest des Gesichts bekommt.</translation>
    </message>
    <message>
        <source>Lock to footage</source>
        <translation>Material wahren</translation>
    </message>
    <message>
        <source>The enhancer may only add what the footage is too coarse to show.</source>
        <translation>Der Verfeinerer darf nur ergänzen, wofür das Material zu grob ist.</translation>
    </message>
    <message>
        <source>Monochrome</source>
        <translation>Schwarz-Weiß</translation>
    </message>
    <message>
        <source>Black-and-white or toned footage stays so, whatever the networks invent.</source>
        <translation>Schwarz-weißes oder getöntes Material bleibt so, was auch immer die Netze erfinden.</translation>
    </message>
    <message>
        <source>auto</source>
        <translation>automatisch</translation>
    </message>
    <message>
        <source>on</source>
        <translation>an</translation>
    </message>
    <message>
        <source>off</source>
        <translation>aus</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert</translation>
    </message>
    <message>
        <source>Another seed invents other, equally plausible detail.</source>
        <translation>Ein anderer Startwert erfindet andere, ebenso glaubhafte Einzelheiten.</translation>
    </message>
    <message>
        <source>Policy</source>
        <translation>Verfahren</translation>
    </message>
    <message>
        <source>The paper&apos;s own schedules, or those of the released program.</source>
        <translation>Die Verläufe des Artikels selbst oder die des veröffentlichten Programms.</translation>
    </message>
    <message>
        <source>paper</source>
        <translation>Artikel</translation>
    </message>
    <message>
        <source>released</source>
        <translation>Programm</translation>
    </message>
    <message>
        <source>Aligned</source>
        <translation>Ausgerichtet</translation>
    </message>
    <message>
        <source>The whole frame already is one aligned face: skip finding and pasting.</source>
        <translation>Das ganze Bild ist schon ein ausgerichtetes Gesicht: weder suchen noch einsetzen.</translation>
    </message>
    <message>
        <source>Detector</source>
        <translation>Detektor</translation>
    </message>
    <message>
        <source>What finds faces. The embedded one needs no download.</source>
        <translation>Was Gesichter findet. Der eingebaute braucht kein Herunterladen.</translation>
    </message>
    <message>
        <source>Frame size</source>
        <translation>Bildgröße</translation>
    </message>
    <message>
        <source>Size of the written frame relative to the source.</source>
        <translation>Größe des geschriebenen Bildes im Verhältnis zur Quelle.</translation>
    </message>
    <message>
        <source>Feather</source>
        <translation>Weicher Rand</translation>
    </message>
    <message>
        <source>Softness of the mask&apos;s edge, in pixels of the restored face.</source>
        <translation>Weichheit des Maskenrands, in Pixeln des restaurierten Gesichts.</translation>
    </message>
    <message>
        <source>Mask</source>
        <translation>Maske</translation>
    </message>
    <message>
        <source>What is replaced: an oval that follows the face, or what a parser calls face.</source>
        <translation>Was ersetzt wird: ein Oval, das dem Gesicht folgt, oder was ein Parser Gesicht nennt.</translation>
    </message>
    <message>
        <source>landmarks</source>
        <translation>Landmarken</translation>
    </message>
    <message>
        <source>parsenet</source>
        <translation>parsenet</translation>
    </message>
    <message>
        <source>bisenet</source>
        <translation>bisenet</translation>
    </message>
    <message>
        <source>Hair</source>
        <translation>Haar</translation>
    </message>
    <message>
        <source>Restore the hair too, where the parser sees it.</source>
        <translation>Auch das Haar restaurieren, wo der Parser es sieht.</translation>
    </message>
    <message>
        <source>Neck</source>
        <translation>Hals</translation>
    </message>
    <message>
        <source>Restore the neck too, where the parser sees it.</source>
        <translation>Auch den Hals restaurieren, wo der Parser ihn sieht.</translation>
    </message>
    <message>
        <source>Glasses</source>
        <translation>Brille</translation>
    </message>
    <message>
        <source>How much of the restoration shows on glasses. 0 leaves them as filmed.</source>
        <translation>Wie viel von der Restaurierung auf Brillen zu sehen ist. 0 lässt sie, wie sie gefilmt sind.</translation>
    </message>
    <message>
        <source>Occluders</source>
        <translation>Verdeckendes</translation>
    </message>
    <message>
        <source>The same for hands, microphones and other things before the face.</source>
        <translation>Dasselbe für Hände, Mikrofone und anderes vor dem Gesicht.</translation>
    </message>
    <message>
        <source>Match colour</source>
        <translation>Farbe angleichen</translation>
    </message>
    <message>
        <source>Give restored faces the broad colours and shades of the footage.</source>
        <translation>Restaurierten Gesichtern die groben Farben und Töne des Materials geben.</translation>
    </message>
    <message>
        <source>Strength</source>
        <translation>Stärke</translation>
    </message>
    <message>
        <source>How much of the restoration shows: 0 is the footage itself, 100 all of it.</source>
        <translation>Wie viel von der Restaurierung zu sehen ist: 0 ist das Material selbst, 100 alles.</translation>
    </message>
    <message>
        <source>Leave what is sharp</source>
        <translation>Scharfes lassen</translation>
    </message>
    <message>
        <source>Where Auto finds that a restoration would make faces no better, they stay as filmed.</source>
        <translation>Wo Auto findet, dass eine Restaurierung Gesichter nicht besser machte, bleiben sie wie gefilmt.</translation>
    </message>
    <message>
        <source>Grain</source>
        <translation>Korn</translation>
    </message>
    <message>
        <source>Give restored faces the grain that lies around them, moving as in the footage: 1 as much as it has, 0 none. Clean footage gets none.</source>
        <translation>Restaurierten Gesichtern das Korn geben, das um sie herum liegt, bewegt wie im Material: 1 so viel, wie es hat, 0 keines. Sauberes Material bekommt keines.</translation>
    </message>
    <message>
        <source>Deinterlace</source>
        <translation>Deinterlacing</translation>
    </message>
    <message>
        <source>Make whole frames of the fields of interlaced footage: takes out the combs.</source>
        <translation>Aus den Halbbildern von Zeilensprung-Material ganze Bilder machen: entfernt die Kämme.</translation>
    </message>
    <message>
        <source>Image rate</source>
        <translation>Bildrate</translation>
    </message>
    <message>
        <source>Frames a second of a folder of images, which has no clock of its own.</source>
        <translation>Bilder je Sekunde eines Ordners von Bildern, der keine eigene Uhr hat.</translation>
    </message>
</context>
<context>
    <name>video</name>
    <message>
        <source>H.264</source>
        <translation>H.264</translation>
    </message>
    <message>
        <source>H.265</source>
        <translation>H.265</translation>
    </message>
    <message>
        <source>AV1</source>
        <translation>AV1</translation>
    </message>
    <message>
        <source>ProRes 422 HQ</source>
        <translation>ProRes 422 HQ</translation>
    </message>
    <message>
        <source>FFV1, lossless</source>
        <translation>FFV1, verlustfrei</translation>
    </message>
    <message>
        <source>FFV1 RGB, lossless</source>
        <translation>FFV1 RGB, verlustfrei</translation>
    </message>
</context>
<context>
    <name>weights</name>
    <message>
        <source>compact network for all degradations, 256×256</source>
        <translation>kompaktes Netz für jede Verschlechterung, 256×256</translation>
    </message>
    <message>
        <source>CC BY-NC-SA 4.0, non-commercial use only</source>
        <translation>CC BY-NC-SA 4.0, nur nicht kommerzielle Nutzung</translation>
    </message>
    <message>
        <source>install the application again</source>
        <translation>installiere die Anwendung noch einmal</translation>
    </message>
    <message>
        <source>the same with temporal layers: 7 frames look at each other; steadier in movement, slower</source>
        <translation>dasselbe mit zeitlichen Schichten: 7 Bilder sehen einander an; in Bewegung ruhiger, langsamer</translation>
    </message>
    <message>
        <source>the same, drawing what the footage leaves open, with every seed something else</source>
        <translation>dasselbe, zeichnet aber, was das Material offenlässt, mit jedem Startwert anderes</translation>
    </message>
    <message>
        <source>enhancer that draws what the starter leaves soft</source>
        <translation>Verbesserer, der zeichnet, was das Startmodell weich lässt</translation>
    </message>
    <message>
        <source>the authors&apos; network for ×8 bicubic super-resolution, 512×512</source>
        <translation>das Netz der Autoren für ×8 bikubische Superauflösung, 512×512</translation>
    </message>
    <message>
        <source>MIT, that of the authors&apos; repository</source>
        <translation>MIT, die des Repositorys der Autoren</translation>
    </message>
    <message>
        <source>open https://github.com/wustl-cig/FLAIR, click “Google Drive” in the README under “Download Pre-trained Models”, there click the download arrow at the top right, and unpack what arrives</source>
        <translation>öffne https://github.com/wustl-cig/FLAIR, klicke im README unter „Download Pre-trained Models“ auf „Google Drive“, dort rechts oben auf den Pfeil zum Herunterladen, und entpacke, was ankommt</translation>
    </message>
    <message>
        <source>the authors&apos; network for ×16 bicubic super-resolution, 512×512</source>
        <translation>das Netz der Autoren für ×16 bikubische Superauflösung, 512×512</translation>
    </message>
    <message>
        <source>the authors&apos; network for ×4 with blur and noise, 512×512</source>
        <translation>das Netz der Autoren für ×4 mit Unschärfe und Rauschen, 512×512</translation>
    </message>
    <message>
        <source>the authors&apos; network for ×4 with blur and JPEG, 512×512</source>
        <translation>das Netz der Autoren für ×4 mit Unschärfe und JPEG, 512×512</translation>
    </message>
    <message>
        <source>enhancer with a fidelity weight; needs spandrel-extra-arches</source>
        <translation>Verfeinerer mit einstellbarer Treue; braucht spandrel-extra-arches</translation>
    </message>
    <message>
        <source>S-Lab License 1.0, non-commercial use only</source>
        <translation>S-Lab License 1.0, nur nicht kommerzielle Nutzung</translation>
    </message>
    <message>
        <source>run “flair models get codeformer”, or download https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth</source>
        <translation>führe „flair models get codeformer“ aus oder lade https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth</translation>
    </message>
    <message>
        <source>enhancer with a generative prior</source>
        <translation>Verfeinerer mit einem generativen Vorwissen</translation>
    </message>
    <message>
        <source>Apache-2.0</source>
        <translation>Apache-2.0</translation>
    </message>
    <message>
        <source>run “flair models get gfpgan”, or download https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth</source>
        <translation>führe „flair models get gfpgan“ aus oder lade https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth</translation>
    </message>
    <message>
        <source>enhancer with a dictionary of faces</source>
        <translation>Verfeinerer mit einem Wörterbuch von Gesichtern</translation>
    </message>
    <message>
        <source>none stated in its README</source>
        <translation>in ihrem README keine genannt</translation>
    </message>
    <message>
        <source>download https://github.com/TencentARC/GFPGAN/releases/download/v1.3.4/RestoreFormer.pth</source>
        <translation>lade https://github.com/TencentARC/GFPGAN/releases/download/v1.3.4/RestoreFormer.pth</translation>
    </message>
    <message>
        <source>enhancer: RestoreFormer++, with a dictionary of faces on several scales</source>
        <translation>Verfeinerer: RestoreFormer++, mit einem Wörterbuch von Gesichtern in mehreren Größen</translation>
    </message>
    <message>
        <source>open https://github.com/wzhouxiff/RestoreFormerPlusPlus, choose Releases, and download RestoreFormer++.ckpt of v1.0.0</source>
        <translation>öffne https://github.com/wzhouxiff/RestoreFormerPlusPlus, wähle „Releases“ und lade RestoreFormer++.ckpt von v1.0.0</translation>
    </message>
    <message>
        <source>enhancer with a codebook of textures</source>
        <translation>Verfeinerer mit einem Wörterbuch von Texturen</translation>
    </message>
    <message>
        <source>open https://github.com/TencentARC/VQFR, choose Releases, and download VQFR_v2.pth</source>
        <translation>öffne https://github.com/TencentARC/VQFR, wähle „Releases“ und lade VQFR_v2.pth</translation>
    </message>
    <message>
        <source>face detector: YuNet, small and fast</source>
        <translation>Gesichtsdetektor: YuNet, klein und schnell</translation>
    </message>
    <message>
        <source>MIT</source>
        <translation>MIT</translation>
    </message>
    <message>
        <source>run “flair models get yunet”, or download https://huggingface.co/opencv/face_detection_yunet/resolve/main/face_detection_yunet_2023mar.onnx</source>
        <translation>führe „flair models get yunet“ aus oder lade https://huggingface.co/opencv/face_detection_yunet/resolve/main/face_detection_yunet_2023mar.onnx</translation>
    </message>
    <message>
        <source>face detector: RetinaFace with a ResNet-50, the most thorough</source>
        <translation>Gesichtsdetektor: RetinaFace mit einem ResNet-50, der gründlichste</translation>
    </message>
    <message>
        <source>MIT, that of facexlib</source>
        <translation>MIT, die von facexlib</translation>
    </message>
    <message>
        <source>run “flair models get retinaface”, or download https://github.com/xinntao/facexlib/releases/download/v0.1.0/detection_Resnet50_Final.pth</source>
        <translation>führe „flair models get retinaface“ aus oder lade https://github.com/xinntao/facexlib/releases/download/v0.1.0/detection_Resnet50_Final.pth</translation>
    </message>
    <message>
        <source>face parser for masks: ParseNet, that of the released program</source>
        <translation>Gesichtsparser für Masken: ParseNet, der des veröffentlichten Programms</translation>
    </message>
    <message>
        <source>run “flair models get parsenet”, or download https://github.com/xinntao/facexlib/releases/download/v0.2.2/parsing_parsenet.pth</source>
        <translation>führe „flair models get parsenet“ aus oder lade https://github.com/xinntao/facexlib/releases/download/v0.2.2/parsing_parsenet.pth</translation>
    </message>
    <message>
        <source>face parser for masks: BiSeNet, faster</source>
        <translation>Gesichtsparser für Masken: BiSeNet, schneller</translation>
    </message>
    <message>
        <source>run “flair models get bisenet”, or download https://github.com/xinntao/facexlib/releases/download/v0.2.0/parsing_bisenet.pth</source>
        <translation>führe „flair models get bisenet“ aus oder lade https://github.com/xinntao/facexlib/releases/download/v0.2.0/parsing_bisenet.pth</translation>
    </message>
    <message>
        <source>frames between frames: AMT-G</source>
        <translation>Bilder zwischen Bildern: AMT-G</translation>
    </message>
    <message>
        <source>CC BY-NC 4.0, non-commercial use only</source>
        <translation>CC BY-NC 4.0, nur nicht kommerzielle Nutzung</translation>
    </message>
    <message>
        <source>open https://github.com/MCG-NKU/AMT, click the Google Drive link of AMT-G in the README under “Pretrained Models”, and there the download arrow at the top right</source>
        <translation>öffne https://github.com/MCG-NKU/AMT, klicke im README unter „Pretrained Models“ auf den Google-Drive-Link von AMT-G und dort rechts oben auf den Pfeil zum Herunterladen</translation>
    </message>
</context>
</TS>
